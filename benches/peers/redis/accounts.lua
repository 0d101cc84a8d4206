-- Opens 10,000 accounts, named by twelve digits because that is how redis-benchmark writes a random number.
for number = 0, 9999 do
    redis.call('SET', string.format('account:%012d', number), 1000000000000000)
end
return 'OK'
