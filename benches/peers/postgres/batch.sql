-- 1,000 charges in one call; the arrays are made here, which takes a few of its milliseconds.
\set batch random(1, 9000000000000000000)
select charge_many(array_agg(1 + (random() * 9999)::bigint), array_agg('evt-' || :batch::bigint || '-' || number), array_agg(1000 + (random() * 8999000)::bigint), array_agg(jsonb_build_object('activity', 'chat', 'agent', 'support-bot', 'model', 'gpt-4o-mini', 'input_tokens', number * 8, 'output_tokens', number * 2, 'messages', 1))) from generate_series(1, 1000) as number;
