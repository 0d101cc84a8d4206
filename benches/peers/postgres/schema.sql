-- A credit ledger as one would write it on PostgreSQL: what `cargo xtask bench` compares Purser with.
--
-- Amounts are micro-credits. An event is charged once per account, a balance never falls below zero, and every charge
-- leaves an entry with its details.

create table accounts (
    id             bigint primary key,
    balance_micros bigint not null check (balance_micros >= 0)
) with (fillfactor = 70); -- room on the page for the next version of a row, so that a charge touches no index of it

create table entries (
    sequence       bigint generated always as identity primary key,
    account        bigint not null references accounts,
    event          text not null,
    credits_micros bigint not null,
    recorded_at    timestamptz not null default now(),
    details        jsonb not null,
    unique (account, event)
);

-- Charges one event and returns the balance after it. An event that was charged before changes nothing.
create function charge(of_account bigint, for_event text, price_micros bigint, about jsonb) returns bigint
language plpgsql as $$
declare
    balance bigint;
begin
    -- The account comes first: this locks it, checks it and debits it in one statement, and whoever waits for the lock
    -- holds nothing yet that others need.
    update accounts set balance_micros = balance_micros - price_micros
    where id = of_account and balance_micros >= price_micros
    returning balance_micros into balance;
    if found then
        insert into entries (account, event, credits_micros, details)
        values (of_account, for_event, price_micros, about)
        on conflict (account, event) do nothing;
        if not found then
            update accounts set balance_micros = balance_micros + price_micros
            where id = of_account
            returning balance_micros into balance;
        end if;
        return balance;
    end if;
    -- Too little is no matter where the event was charged before.
    select balance_micros into balance from accounts
    where id = of_account
        and exists (select from entries where account = of_account and event = for_event);
    if not found then
        raise exception 'account % cannot pay % micro-credits', of_account, price_micros;
    end if;
    return balance;
end
$$;

-- Charges many events in one commit and returns how many were new. Set-based, since a loop would cost several times as
-- much.
create function charge_many(of_accounts bigint[], for_events text[], prices_micros bigint[], about jsonb[])
returns bigint
language plpgsql as $$
declare
    charged bigint;
begin
    -- In one order for everybody, so that two batches wait for one another instead of dying of a deadlock.
    perform from accounts where id = any (of_accounts) order by id for no key update;
    with booked as (
        insert into entries (account, event, credits_micros, details)
        select * from unnest(of_accounts, for_events, prices_micros, about)
        on conflict (account, event) do nothing
        returning account, credits_micros
    ), sums as (
        select account, sum(credits_micros)::bigint as credits_micros, count(*) as events from booked group by account
    ), debited as (
        -- The table's check refuses the whole batch where a balance would fall below zero.
        update accounts set balance_micros = balance_micros - sums.credits_micros
        from sums where accounts.id = sums.account
        returning sums.events
    )
    select coalesce(sum(events), 0) into charged from debited;
    return charged;
end
$$;

insert into accounts select number, 1000000000000000 from generate_series(1, 10000) as number;
vacuum analyze accounts;
