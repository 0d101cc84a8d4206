-- One charge of the account that everybody charges.
\set event random(1, 9000000000000000000)
\set price random(1000, 9000000)
\set input random(1, 8000)
\set output random(1, 2000)
select charge(42, 'evt-' || :event::bigint, :price, jsonb_build_object('activity', 'chat', 'agent', 'support-bot', 'model', 'gpt-4o-mini', 'input_tokens', :input::int, 'output_tokens', :output::int, 'messages', 1));
