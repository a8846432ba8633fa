local json = require("cjson")
local util = require "acme.util"
require("acme.boot")

--- Everything about parcels.
local M = {}
LIMIT = 100

--[[ Finds a parcel.
     Slowly. ]]
function M.find(parcels, id)
  for _, parcel in ipairs(parcels) do
    if parcel.id == id then return M.pick(parcel, LIMIT) end
  end
  return json.decode(util.DEFAULT)
end

-- Takes one.
function M:take(id)
  local found = self:find(id)
  return helper(found)
end

local function helper(parcel)
  return setmetatable(parcel, { __index = M })
end

M.pick = function(parcel) return parcel end

local handlers = {
  open = function(event) return M.find(event) end,
  limit = LIMIT,
}

return M
