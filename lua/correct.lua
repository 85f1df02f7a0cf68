#!lua flags=allow-oom
--[[
Puts the counters of a product right, by the difference that a mark has shown.

KEYS[1] lane         hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch        integer   as the caller knows it
ARGV[2] run          string    run_id of the server the caller is connected to
ARGV[3] call         string    names this call in the journal
ARGV[4] corrections  integer   made in this lane before the mark: nobody else may have acted on it
ARGV[5] by           string    id of the reconciliation
ARGV[6] product_id   integer
ARGV[7] total        integer   units to add; those below too
ARGV[8] available    integer
ARGV[9] held         integer
ARGV[10] pending     integer
ARGV[11] sold        integer

Returns, in order of precedence
  {'closed', now_ms}           a lane that is absent or being rebuilt: nothing written
  {'stale', now_ms}            nothing written
  {'changed', now_ms}          another correction came first: nothing written
  {'unknown_product', now_ms}
  {'corrected', now_ms}
Emits corrected
]]
--@include transition
local epoch, run, call, corrections, by = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local product_id = ARGV[6]
local total, available, held = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local pending, sold = tonumber(ARGV[10]), tonumber(ARGV[11])

local refused = gate_books(epoch, run)
if refused then return refused end
if (redis.call('HGET', lane_key, 'corrections') or '0') ~= corrections then
  return {'changed', now_ms}
end
local product = load_product(product_id)
if not product then return {'unknown_product', now_ms} end

product.total = product.total + total
product.available = product.available + available
product.held = product.held + held
product.pending = product.pending + pending
product.sold = product.sold + sold
product.changed = true
add_to_entry('corrected', table.concat({
  product_id, by, integer(total), integer(available), integer(held), integer(pending),
  integer(sold),
}, '\t'))
commit(call)
redis.call('HINCRBY', lane_key, 'corrections', 1)
return {'corrected', now_ms}
