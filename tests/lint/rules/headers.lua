-- Headers that swale.h reaches, directly or through a .def, are public and installed; all others
-- are private and end in _int.h.
local each_include = require("source").each_include

-- Files that are compiled once for each instruction set, not headers.
local function is_body(name) return name:find "^body_" or name:find "^vec_" end

local function public_headers(headers)
  local public = {}
  local function reach(name)
    if public[name] or not headers[name] then return end
    public[name] = true
    each_include(headers[name], reach)
  end
  reach "swale.h"
  return public
end

return function(tree, fault)
  local headers = {}
  for _, file in ipairs(tree) do
    local name = file.path:match "^core/(.+%.h)$" or file.path:match "^core/(.+%.def)$"
    if name then headers[name] = file end
  end
  local public = public_headers(headers)
  for _, file in ipairs(tree) do
    local name = file.path:match "^core/(.+%.h)$"
    local private = name and name:find "_int%.h$"
    if public[name] and private then
      fault(file.path, nil, "swale.h reaches it, so that it is installed")
    elseif name and not public[name] and not private and not is_body(name:match "[^/]+$") then
      fault(file.path, nil, "private, for swale.h does not reach it: end its name in _int.h")
    end
  end
end
