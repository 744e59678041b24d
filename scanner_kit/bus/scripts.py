"""The scripts that append to a tape: each an all or nothing, under the numbers that stand beside the stream.

Beside the stream, in the hash of its writers, stand the last number of each, how far the tape is, and of forming
entries how many bytes of them stay (`bytes`), and, past what may stay, which are to go when their minute closes
(`passing`; `waits` where the next one carries an event and stays).
"""

HEAD = """
local tape, writers, lease = KEYS[1], KEYS[2], KEYS[3]
local token, version, keep, parts = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if token ~= '' and redis.call('GET', lease) ~= token then return {'fenced'} end
if redis.call('HEXISTS', writers, 'closed') == 0 then
  redis.call('DEL', tape, writers)
  local at = 6
  for _ = 1, parts do
    local fields = tonumber(ARGV[at])
    redis.call('XADD', tape, '*', unpack(ARGV, at + 1, at + fields))
    at = at + fields + 1
  end
  redis.call('HSET', writers, 'ingest', 1, 'closed', -1, 'settings', version, 'keeps', ARGV[5])
  redis.call('EXPIRE', tape, keep)
  redis.call('EXPIRE', writers, keep)
end
return {'ok', unpack(redis.call('HMGET', writers, 'ingest', 'closed', 'ended'))}
"""

APPEND = """
local tape, writers, lease = KEYS[1], KEYS[2], KEYS[3]
local token, writer, n, kind = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local k, most, of, bytes = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if token ~= '' and redis.call('GET', lease) ~= token then return {'fenced'} end
local wanted = {writer, 'closed', 'settings', 'ended', 'universe', 'keeps', 'passing', 'bytes'}
local known = redis.call('HMGET', writers, unpack(wanted))
if not known[2] then return {'none'} end
local last, closed = tonumber(known[1] or 0), tonumber(known[2])
if n <= last then return {'dup'} end
local bars = kind == 'closed' or kind == 'forming'
if writer == 'ingest' and n ~= last + 1 or bars and (k ~= closed + 1 or known[4]) then return {'gap', closed} end
local changes = tonumber(known[5] or 0)
if bars and of ~= changes or writer == 'universe' and n ~= changes + 1 then return {'moved', changes} end
local there = redis.call('XLEN', tape)
local held = tonumber(known[8] or 0)
local room = held <= bytes
if kind == 'forming' and (there > 0.9 * most or known[6] ~= '0' and not room) then return {'full'} end
if not (bars or kind == 'end') and there >= most then return {'full'} end
redis.call('HSET', writers, writer, n)
if kind == 'closed' then redis.call('HSET', writers, 'closed', k) end
if kind == 'end' then redis.call('HSET', writers, 'ended', 1) end
local version = writer == 'settings' and n or known[3]
local at = redis.call('XADD', tape, '*', 'version', version, unpack(ARGV, 9))
local passing = known[7] or ''
if kind == 'closed' then
  for id in string.gmatch(passing, '%S+') do
    if id ~= 'waits' then redis.call('XDEL', tape, id) end
  end
  redis.call('HDEL', writers, 'passing')
elseif kind ~= 'forming' then
  redis.call('HSET', writers, 'passing', passing .. ' waits')
elseif room then
  for i = 9, #ARGV do held = held + #ARGV[i] end
  redis.call('HSET', writers, 'bytes', held)
elseif string.sub(passing, -5) == 'waits' then
  redis.call('HSET', writers, 'passing', string.sub(passing, 1, -6))
else
  redis.call('HSET', writers, 'passing', passing .. ' ' .. at)
end
if writer == 'universe' then redis.call('HSET', writers, 'universe ' .. n, at .. ' ' .. (closed + 1)) end
return {'ok', at}
"""
