--- Keeps the decimal point of numbers in any locale that a script sets. Swale's tables, plots,
--- cache files and messages are made by string.format, and gnuplot and Swale itself read some of
--- them. So the category "numeric" stays "C"; os.setlocale sets the others.
local setlocale = os.setlocale

local M = {}

local REFUSED = 'swale keeps the decimal point: the locale\'s category "numeric" stays "C"'

local function replacement(locale, category)
  category = category or "all"
  if not locale then return setlocale(locale, category) end
  if category == "numeric" then
    if locale == "C" or locale == "POSIX" then return "C" end
    return nil, REFUSED
  end
  local result = setlocale(locale, category)
  if category == "all" then setlocale("C", "numeric") end
  return result
end

---Replaces os.setlocale. A locale that a script has set before keeps its other categories.
function M.keep_the_point()
  if os.setlocale == replacement then return end
  setlocale("C", "numeric")
  os.setlocale = replacement -- luacheck: ignore 122
end

return M
