-- Redis time, read once: TIME moves on inside a script before Redis 7.2.
local server_time = redis.call('TIME')
local now_ms = server_time[1] * 1000 + math.floor(server_time[2] / 1000)
