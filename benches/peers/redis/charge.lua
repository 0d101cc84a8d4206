-- A charge as one would write it on Redis: what `cargo xtask bench` compares Purser with.
--
-- KEYS: the event's idempotency key, the account's balance, the stream of entries.
-- ARGV: the price in micro-credits, the details as JSON. Returns the balance after the charge.

-- A script runs alone, so looking and then writing is safe. The key lives as long as Purser keeps one: 35 days.
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', 3024000) then
    return redis.call('GET', KEYS[2])
end
local price = tonumber(ARGV[1])
local balance = tonumber(redis.call('GET', KEYS[2]) or 0)
if balance < price then
    redis.call('DEL', KEYS[1])
    return redis.error_reply('INSUFFICIENT the account has ' .. balance .. ' micro-credits')
end
redis.call('XADD', KEYS[3], '*', 'account', KEYS[2], 'event', KEYS[1], 'credits', price, 'details', ARGV[2])
return redis.call('DECRBY', KEYS[2], price)
