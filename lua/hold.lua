#!lua
--[[
Takes units out of `available` until a deadline, for each request of a batch.

KEYS[1] lane                hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch               integer   as the caller knows it
ARGV[2] run                 string    run_id of the server the caller is connected to
ARGV[3] call                string    names this call in the journal
ARGV[4] idempotency_ttl_ms  integer   how long a first effect is remembered
ARGV[5] requests            string    JSON, [late_ms, id, items, buyer, key, fingerprint] each:
  late_ms      integer   milliseconds since 1970, this request's own deadline
  id           string    of the reservation to make
  items        string    '42:2,43:1', sorted by product, each product once
  buyer        string    or ''
  key          string    Idempotency-Key, or ''
  fingerprint  string    of the request's content, compared under the same key

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'batch', now_ms, replies}      JSON, one reply for each request, in the order of the requests;
                                  numbers are text there, since cjson rounds them to 14 digits:
  {'late'}                                     nothing written
  {'mismatch'}                                 the key was used with another content
  {'repeated', id, deadline_ms, amount_minor, currency}   the first effect under this key
  {'overloaded'}                               the backlog is at its cap
  {'unknown_product', product_id}
  {'paused', product_id}
  {'not_started', product_id, starts_at_ms}
  {'ended', product_id, ends_at_ms}
  {'qty_above_limit', product_id, max_per_hold}
  {'mixed_currencies'}
  {'buyer_required', product_id}
  {'again'}                                    overdue units are still coming back
  {'buyer_limit', product_id, max_per_buyer, units}
  {'sold_out', product_id, available, earliest_deadline_ms}   the deadline is 0 when nothing is due
  {'held', deadline_ms, amount_minor, currency}
Emits held, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, idempotency_ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local refused = gate(epoch, run)
if refused then return refused end

local function first_hold(key)
  local text = first_effect(idempotency_key('hold', key))
  if not text then return nil end
  local fingerprint, id, deadline_ms, amount_minor, currency =
    string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  return {
    fingerprint = fingerprint, id = id, deadline_ms = deadline_ms, amount_minor = amount_minor,
    currency = currency,
  }
end

-- When the next hold or order of the lane runs out, those of this batch included; 0 for none.
local earliest_due_ms, earliest_granted_ms = nil, math.huge
local function earliest_deadline()
  if not earliest_due_ms then
    local next_due = redis.call('ZRANGE', due_key, '(' .. integer(now_ms), '+inf', 'BYSCORE',
      'LIMIT', 0, 1, 'WITHSCORES')
    earliest_due_ms = tonumber(next_due[2] or math.huge)
  end
  local earliest_ms = math.min(earliest_due_ms, earliest_granted_ms)
  return earliest_ms < math.huge and earliest_ms or 0
end

-- Why the sale of these items is refused before any unit is counted, or nil.
local function refused_by_rules(items, has_buyer)
  local currency
  for _, item in ipairs(items) do
    local product = load_product(item.product_id)
    if not product then return {'unknown_product', item.product_id} end
    if product.status == 'paused' then return {'paused', item.product_id} end
    if product.starts_at_ms and now_ms < product.starts_at_ms then
      return {'not_started', item.product_id, integer(product.starts_at_ms)}
    end
    if product.ends_at_ms and now_ms >= product.ends_at_ms then
      return {'ended', item.product_id, integer(product.ends_at_ms)}
    end
    if product.max_per_hold and item.qty > product.max_per_hold then
      return {'qty_above_limit', item.product_id, integer(product.max_per_hold)}
    end
    if currency and currency ~= product.currency then return {'mixed_currencies'} end
    currency = product.currency
    if product.max_per_buyer and not has_buyer then return {'buyer_required', item.product_id} end
  end
  return nil
end

-- What every hold of these items is in this batch, or why their sale is refused.
local function make_offer(items_text, has_buyer)
  local items = parse_items(items_text)
  local refusal = refused_by_rules(items, has_buyer)
  if refusal then return {refusal = refusal} end
  local amount_minor, ttl_ms, counted, prices = 0, math.huge, false, {}
  for index, item in ipairs(items) do
    local product = load_product(item.product_id)
    amount_minor = amount_minor + product.price_minor * item.qty
    ttl_ms = math.min(ttl_ms, product.hold_ttl_ms)
    -- Counted for all its products or for none, so that the index member can say it in one word.
    counted = counted or product.max_per_buyer ~= nil
    prices[index] = integer(product.price_minor)
  end
  local currency, deadline_ms = load_product(items[1].product_id).currency, now_ms + ttl_ms
  return {
    items = items, items_text = items_text, deadline_ms = deadline_ms, amount_minor = amount_minor,
    currency = currency, counted = counted, prices = table.concat(prices, ','),
    reply = {'held', integer(deadline_ms), integer(amount_minor), currency},
  }
end

-- Rules do not change within a batch, and most of its requests ask for the same.
local offers = {[true] = {}, [false] = {}}
local function load_offer(items_text, has_buyer)
  local offer = offers[has_buyer][items_text]
  if not offer then
    offer = make_offer(items_text, has_buyer)
    offers[has_buyer][items_text] = offer
  end
  return offer
end

-- Why units are refused, or nil. Both reasons can rest on overdue units.
local function refused_by_units(offer, buyer)
  for _, item in ipairs(offer.counted and offer.items or {}) do
    local max_per_buyer = load_product(item.product_id).max_per_buyer
    if max_per_buyer then
      local units = load_buyer_units(item.product_id, buyer).units
      if units + item.qty > max_per_buyer then
        return {'buyer_limit', item.product_id, integer(max_per_buyer), integer(units)}
      end
    end
  end
  for _, item in ipairs(offer.items) do
    local available = load_product(item.product_id).available
    if available < item.qty then
      return {'sold_out', item.product_id, integer(available), integer(earliest_deadline())}
    end
  end
  return nil
end

local function grant(id, offer, buyer, key, fingerprint)
  earliest_granted_ms = math.min(earliest_granted_ms, offer.deadline_ms)
  transition({
    id = id, state = 'none', version = 0, items = offer.items, items_text = offer.items_text,
    deadline_ms = offer.deadline_ms, amount_minor = offer.amount_minor, currency = offer.currency,
    buyer = buyer, counted = offer.counted, ordered = false, reference = '',
  }, 'held', {prices = offer.prices, key = key, fingerprint = fingerprint})
  if key ~= '' then
    remember(idempotency_key('hold', key), fingerprint .. '|' .. id .. '|' ..
      integer(offer.deadline_ms) .. '|' .. integer(offer.amount_minor) .. '|' .. offer.currency,
      idempotency_ttl_ms)
  end
  return offer.reply
end

local function decide(late_ms, id, items_text, buyer, key, fingerprint)
  if now_ms > tonumber(late_ms) then return {'late'} end
  if key ~= '' then
    local first = first_hold(key)
    if first and first.fingerprint ~= fingerprint then return {'mismatch'} end
    if first then
      return {'repeated', first.id, first.deadline_ms, first.amount_minor, first.currency}
    end
  end
  if backlog_count + transition_count >= backlog_max then return {'overloaded'} end
  local offer = load_offer(items_text, buyer ~= '')
  if offer.refusal then return offer.refusal end
  local refusal = refused_by_units(offer, buyer)
  if refusal then
    reclaim()
    refusal = refused_by_units(offer, buyer)
    if refusal and overdue_left then return {'again'} end
    if refusal then return refusal end
  end
  return grant(id, offer, buyer, key, fingerprint)
end

local replies = {}
for index, request in ipairs(cjson.decode(ARGV[5])) do
  replies[index] = decide(unpack(request))
end
commit(call)
return {'batch', now_ms, cjson.encode(replies)}
