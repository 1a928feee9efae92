--- sw.plot: which numbers gnuplot gets, what is drawn for those that are not finite, the files, and
--- that no text of a user is a command.
local figure = require "swale.plot.figure"
local folders = require "swale.folders"
local lu = require "luaunit"
local numbers = require "swale.plot.numbers"
local process = require "swale.process"
local sw = require "swale"
local uv = require "luv"

TestFigure = {}

function TestFigure:setUp() self.dir = require("temporary").folder() end

function TestFigure:tearDown() folders.remove(self.dir) end

--- The commands of a picture, and the rows of its blocks of data.
local function commands(o)
  o.file = o.file or "a.svg"
  local text, blocks = figure.picture("sw.plot", o).commands, {}
  for block in text:gmatch "%$d%d+ << EOD\n(.-)EOD" do
    local rows = {}
    for line in block:gmatch "([^\n]*)\n" do
      local row = {}
      for v in line:gmatch "%S+" do row[#row + 1] = tonumber(v) end
      rows[#rows + 1] = row
    end
    blocks[#blocks + 1] = rows
  end
  return text, blocks
end

local NAN, INF = 0 / 0, math.huge

-- ------------------------------------------------------------------ numbers

function TestFigure:test_tensors_and_lists_give_the_same_picture()
  local x, y = { 1, 2, 4 }, { 0.5, 0.25, 2 }
  lu.assert_equals((commands { x = sw.tensor(x), y = sw.tensor(y) }), (commands { x = x, y = y }))
end

-- Values of a paper's runs have the mark.
function TestFigure:test_an_object_is_a_list_if_it_is_marked()
  local function marked(meta) return setmetatable({ 1, 2 }, meta) end
  lu.assert_equals(numbers.list("plot", "y", marked { __list = true }), { 1, 2 })
  local values = require("swale.paper.values").new({ 3 }, { 1 }, { 1 })
  lu.assert_equals(numbers.list("plot", "y", values), { 3 })
  for _, meta in ipairs { {}, { __metatable = "hidden" }, { __metatable = false } } do
    lu.assert_error_msg_contains("plot: y must be a tensor", numbers.list, "plot", "y",
      marked(meta))
  end
end

function TestFigure:test_x_counts_from_1_by_default()
  local _, blocks = commands { y = { 5, 6 } }
  lu.assert_equals(blocks, { { { 1, 5 }, { 2, 6 } } })
end

function TestFigure:test_a_line_breaks_at_nan()
  local _, blocks = commands { y = { 1, 2, NAN, 3 } }
  lu.assert_equals(blocks, { { { 1, 1 }, { 2, 2 }, {}, { 4, 3 } } })
end

function TestFigure:test_infinite_values_are_triangles_at_the_edges()
  local text, blocks = commands { y = { 1, INF, 3, -INF }, y_range = { 0, 4 } }
  lu.assert_equals(blocks[1], { { 1, 1 }, {}, { 3, 3 } })
  lu.assert_equals(blocks[2], { { 2, 0.985 * 4 } })
  lu.assert_equals(blocks[3], { { 4, 0.015 * 4 } })
  lu.assert_str_contains(text, "points pt 9 ")
  lu.assert_str_contains(text, "points pt 11 ")
end

-- Numbers that gnuplot's arithmetic has no room for are not drawn.
function TestFigure:test_enormous_values_are_left_out()
  local _, blocks = commands { y = { 1, 1.7e308, 2 } }
  lu.assert_equals(blocks, { { { 1, 1 }, {}, { 3, 2 } } })
end

function TestFigure:test_a_logarithmic_axis_leaves_out_zero()
  local text, blocks = commands { y = { 1, 0, 100 }, y_log = true }
  lu.assert_equals(blocks, { { { 1, 1 }, {}, { 3, 100 } } })
  lu.assert_str_contains(text, "set logscale y")
end

--- Wherever a short logarithmic axis lies, some of its tics are on it.
function TestFigure:test_a_short_logarithmic_axis_has_tics()
  for _, y in ipairs { { 0.36, 0.39 }, { 0.0032, 0.0039 }, { 860, 940 }, { 1.01, 1.02 },
    { 0.9, 1.1 }, { 0.3, 0.4 }, { 3, 3 } } do
    local text = commands { y = y, y_log = true }
    local low, high = text:match "set yrange %[(%S+):(%S+)%]"
    local inside = 0
    for label, v in text:match "set ytics %((.-)%)":gmatch '"(%S+)" ([^, ]+)' do
      v = tonumber(v)
      lu.assert_almost_equals(tonumber(label), v, 1e-7 * v)
      if tonumber(low) <= v and v <= tonumber(high) then inside = inside + 1 end
    end
    lu.assert_true(inside >= 2 and inside <= 8, ("%d tics from %s to %s"):format(inside, low, high))
  end
end

function TestFigure:test_estimates_bring_their_intervals_and_open_ends_reach_the_edge()
  local list = { sw.estimate { value = 2, low = 1, high = 3 }, sw.estimate { value = 2, low = 1.5 },
    sw.estimate {} }
  local _, blocks = commands { y = list, as = "points", y_range = { 0, 5 } }
  lu.assert_equals(blocks[1], { { 1, 1, 0, 2 } })                        -- a closed bar
  lu.assert_equals(blocks[2], { { 2, 1.5, 0, 3.5 }, { 3, 0, 0, 5 } })    -- arrows up to the edge
  lu.assert_equals(blocks[3], { { 1, 2 }, { 2, 2 } })
  _, blocks = commands { y = list, y_range = { 0, 5 } }
  lu.assert_equals(blocks[1], { { 1, 1, 3 }, { 2, 1.5, 5 }, { 3, 0, 5 } }) -- the band of a line
end

function TestFigure:test_an_interval_that_is_open_below_points_down()
  local _, blocks = commands { y = { sw.estimate { signed = true, high = 2 }, sw.estimate {
    value = 1, low = 0, high = 2 } }, as = "points", y_range = { -1, 5 } }
  lu.assert_equals(blocks[2], { { 1, 2, 0, -3 } })
end

-- An interval that goes beyond the panel ends with an arrow, not with a stop at the edge.
function TestFigure:test_an_interval_that_ends_beyond_the_range_has_an_arrow()
  local text, blocks = commands { y = { 1, 2, 2 }, low = { 0.5, 1, -9 }, high = { 9, 3, 9 },
    as = "points", y_range = { 0, 5 } }
  lu.assert_equals({ blocks[1], blocks[2], blocks[3] },
    { { { 2, 1, 0, 2 } }, { { 1, 0.5, 0, 4.5 } }, { { 3, 0, 0, 5 } } })
  lu.assert_str_contains(text, "vectors heads filled")
end

function TestFigure:test_a_long_interval_does_not_press_bars_flat()
  local text = commands { y = { 1, 2 }, low = { 0, 1 }, high = { 900, 3 }, as = "bars" }
  lu.assert_true(tonumber(text:match "set yrange %[.-:(.-)%]") < 7, text)
end

-- A band that is wide at the start does not press its line flat.
function TestFigure:test_bands_extend_the_range_by_the_size_of_the_values_at_most()
  local text = commands { y = { 1, 2, 3 }, low = { -900, 1, 2 }, high = { 900, 3, 4 } }
  local from, to = text:match "set yrange %[(.-):(.-)%]"
  lu.assert_true(tonumber(from) >= -1.5 and tonumber(to) <= 5.5, from .. " " .. to)
end

function TestFigure:test_bars_stand_side_by_side_on_zero()
  local text, blocks = commands { { x = { "a", "b" }, y = { 1, 2 }, as = "bars" },
    { x = { "a", "b" }, y = { 3, 4 }, as = "bars" } }
  lu.assert_almost_equals(blocks[1], { { 0.8, 1, 0.368 }, { 1.8, 2, 0.368 } }, 1e-9)
  lu.assert_almost_equals(blocks[2], { { 1.2, 3, 0.368 }, { 2.2, 4, 0.368 } }, 1e-9)
  lu.assert_str_contains(text, "set yrange [0:")
end

function TestFigure:test_long_curves_keep_their_spikes()
  local x, y = {}, {}
  for i = 1, 100000 do x[i], y[i] = i, 1 end
  y[54321], y[77777] = 9, -9
  local _, blocks = commands { x = x, y = y }
  lu.assert_true(#blocks[1] <= 1502, #blocks[1])
  local kept = {}
  for _, row in ipairs(blocks[1]) do kept[row[1]] = row[2] end
  lu.assert_equals({ kept[1], kept[100000], kept[54321], kept[77777] }, { 1, 1, 9, -9 })
  local rows = {}
  for i = 1, 10000 do rows[i] = { i, i == 5000 and -1 or 0, i == 6000 and 2 or 1 } end
  local low, high = 0, 0
  for _, row in ipairs(numbers.thinned_band(rows)) do
    low, high = math.min(low, row[2]), math.max(high, row[3])
  end
  lu.assert_equals({ low, high }, { -1, 2 })
end

-- ------------------------------------------------------------------ surfaces

--- z = x + 10 y, which bilinear interpolation gives exactly.
local function plane_rows(x, y)
  local z = {}
  for i = 1, #y do
    z[i] = {}
    for j = 1, #x do z[i][j] = x[j] + 10 * y[i] end
  end
  return z
end

function TestFigure:test_contours_are_placed_among_the_levels()
  local x, y = { -1, 0, 0.5, 2 }, { 0, 0.3, 1 }
  local _, blocks = commands { x = x, y = y, z = plane_rows(x, y), levels = { 0, 2, 4, 6, 8, 10 } }
  local checked = 0
  for _, row in ipairs(blocks[1]) do
    if row[1] then
      lu.assert_almost_equals(row[3], (row[1] + 10 * row[2]) / 2, 1e-5) -- seven digits are written
      checked = checked + 1
    end
  end
  lu.assert_equals(checked, 241 * 241)
end

function TestFigure:test_levels_may_be_at_any_distance()
  local _, blocks = commands { x = { 0, 1 }, y = { 0, 1 }, z = { { 1, 2 }, { 5, 8 } },
    levels = { 1, 2, 6 } }
  local rows = blocks[1]
  lu.assert_equals({ rows[1][3], rows[241][3], rows[#rows - 1 - 240][3], rows[#rows - 1][3] },
    { 0, 1, 1.75, 2.5 })
end

function TestFigure:test_a_heat_map_has_a_rectangle_for_each_value()
  local _, blocks = commands { x = { 1, 2, 4 }, y = { 0, 1 },
    z = { { 1, 10, NAN }, { 100, 10, 1 } }, levels = { 1, 10, 100 }, log = true, as = "heat" }
  lu.assert_equals(#blocks[1], 5)
  lu.assert_almost_equals(blocks[1][1], { 1, 0, 0.5, 1.52, -0.5, 0.52, 0 }, 1e-9)
  lu.assert_almost_equals(blocks[1][3][7], 2, 1e-6)
end

-- ------------------------------------------------------------------ files

function TestFigure:draw(o)
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  o.file = self.dir .. "/" .. o.file
  lu.assert_equals(sw.plot(o), o.file)
  return folders.read(o.file)
end

function TestFigure:test_the_ending_gives_the_kind_of_file()
  lu.assert_str_contains(self:draw { y = { 1, 2 }, file = "a.svg" }, "</svg>")
  lu.assert_equals(self:draw({ y = { 1, 2 }, file = "a.png" }):sub(2, 4), "PNG")
  lu.assert_equals(self:draw({ y = { 1, 2 }, file = "a.pdf" }):sub(1, 4), "%PDF")
end

function TestFigure:test_all_kinds_in_panels()
  local e = { sw.estimate { value = 2, low = 1, high = 3 }, sw.estimate { value = 1, low = 0.5 } }
  local x, y = { 0, 1, 2 }, { 0, 1 }
  local svg = self:draw { file = "all.svg", columns = 2, title = "all of them", panels = {
    { { y = e, label = "line" }, { y = { 1, 2 }, as = "steps" }, { y = e, as = "band" },
      { x = { 1.5 }, as = "vertical" }, { y = { 1 }, as = "horizontal" } },
    { { y = e, as = "both", texts = { "p1", "p2" } }, { y = { 1, 9 }, axis = "right" },
      right_label = "right side", right_log = true },
    { { x = { "u", "v" }, y = { 1, 2 }, low = { 0, 1 }, high = { 2, INF }, as = "bars" } },
    { { x = x, y = y, z = plane_rows(x, y), label = "loss" },
      { x = { 1 }, y = { 0.5 }, as = "points" }, equal = true },
    { x = x, y = y, z = plane_rows(x, y), as = "heat" },
  } }
  for _, word in ipairs { "all of them", "line", "p1", "p2", "right side", ">u<", "loss" } do
    lu.assert_str_contains(svg, word)
  end
end

--- Every text of a picture lies 7 pixels, half its height, within its edges, and none is left out.
function TestFigure:test_labels_are_within_the_picture()
  local names = { "train accuracy", "a second one", "one more of them", "curve number four" }
  local o = { file = "a.svg", title = "the title", x_label = "across", y_label = "upwards",
    right_label = "to the right", legend = "above" }
  for i, name in ipairs(names) do
    o[i] = { y = { -1234567, 1e6 * i }, label = name, axis = i == 4 and "right" or "left" }
  end
  local svg = self:draw(o)
  local seen = {}
  for x, y, text in svg:gmatch 'translate%(([-%d.]+),([-%d.]+)%)[^>]*>%s*<text>([^<]*)' do
    seen[text] = true
    lu.assert_true(tonumber(x) >= 7 and tonumber(x) <= 893, text .. " " .. x)
    lu.assert_true(tonumber(y) >= 14 and tonumber(y) <= 495, text .. " " .. y)
  end
  for _, text in ipairs { "the title", "across", "upwards", "to the right", table.unpack(names) } do
    lu.assert_true(seen[text], text)
  end
end

--- SVG's box is a filter, which must reach beyond the text; each panel sets the style anew.
function TestFigure:test_names_of_points_are_whole_on_white()
  local o = { file = "a.svg", y = { 1, 2 }, as = "points", texts = { "a", "b" } }
  local svg = self:draw(o)
  lu.assert_str_contains(svg, "id='textbox' filterUnits='objectBoundingBox' x='-0.2'")
  lu.assert_str_contains(svg, "flood-color='#FFFFFF' flood-opacity='1'")
  lu.assert_str_matches((commands(o)), ".*\nreset\n.*set style textbox opaque.*")
end

function TestFigure:test_small_numbers_beside_an_axis_are_short()
  lu.assert_str_contains(self:draw { file = "a.svg", y = { 1e-7, 2e-7 } }, ">2e-07<")
end

-- A wide surface with equal scales leaves no room above and below; a tall one none beside.
function TestFigure:test_equal_scales_give_the_picture_its_shape()
  local function size(x, y)
    local picture = figure.picture("sw.plot", { file = "a.svg", x = x, y = y,
      z = plane_rows(x, y), equal = true })
    return picture.width, picture.height
  end
  local width, height = size({ 0, 4 }, { 0, 1 })
  lu.assert_equals(width, 900)
  lu.assert_almost_equals(height, (900 - 104 - 126) / 4 + 16 + 38, 1)
  width, height = size({ 0, 1 }, { 0, 1.4 })
  lu.assert_equals({ width, height }, { 500 + 104 + 126, 700 + 16 + 38 })
end

--- Every place of a text, with texts that would be commands.
function TestFigure:test_no_text_is_a_command()
  local marker = self.dir .. "/ran"
  for _, text in ipairs { "`touch %s`", '"; system("touch %s") #', "\n!touch %s\n",
    "$(touch %s)", "'.system('touch %s').'", "EOD\n!touch %s", "@T1 \\\n!touch %s" } do
    local t = text:format(marker)
    local svg = self:draw { file = "a.svg", panels = { { title = t, x_label = t, y_label = t,
      right_label = t, { x = { t, "b" }, y = { 1, 2 }, label = t, as = "bars" },
      { y = { 1, 2 }, as = "both", texts = { t, t }, axis = "right" } } }, title = t }
    lu.assert_str_contains(svg, "touch")
    lu.assert_false(folders.exists(marker), text)
  end
end

--- Nor is any a format, as gnuplot's labels of tics are.
function TestFigure:test_no_text_is_a_format()
  for _, text in ipairs { "90 % of 5 %s", "%d %g%%", "%" } do
    local svg = self:draw { file = "a.svg", title = text, x_label = text, y_label = text,
      x = { text, "b" }, y = { 0, 0 }, label = text, as = "bars", texts = { text, text } }
    local _, found = svg:gsub((">%s<"):format(text:gsub("%p", "%%%0")), "")
    lu.assert_true(found >= 4, text)
  end
end

function TestFigure:test_without_gnuplot_the_message_names_the_package()
  local path = os.getenv "PATH"
  uv.os_setenv("PATH", "/nowhere")
  local ok, message, code = sw.try(sw.plot, { y = { 1, 2 }, file = self.dir .. "/a.svg" })
  uv.os_setenv("PATH", path)
  lu.assert_nil(ok)
  lu.assert_str_contains(message, "sw.plot: there is no gnuplot (package gnuplot-nox)")
  lu.assert_equals(code, "EIO")
end

-- ------------------------------------------------------------------ misuse

function TestFigure:test_misuse_is_named()
  local function refused(message, o)
    o.file = o.file or "a.svg"
    lu.assert_error_msg_contains(message, sw.plot, o)
  end
  refused("file ends in .svg, .png or .pdf", { y = { 1 }, file = "a.gif" })
  refused('unknown option "xlabel"; did you mean "x_label"?', { y = { 1 }, xlabel = "x" })
  refused("nothing to draw", {})
  refused("no value is finite", { y = { NAN, NAN } })
  refused("and above 0, as the logarithm needs", { y = { -1, 0 }, y_log = true })
  refused("series 2: 3 values of x and 2 of y",
    { { y = { 1 } }, { x = { 1, 2, 3 }, y = { 1, 2 } } })
  refused("low and high come together", { y = { 1 }, low = { 1 } })
  refused("y[2] must be a number", { y = { 1, "a" } })
  refused("must be a tensor of one dimension", { y = sw.zeros { 2, 2 } })
  refused("z has 2 columns", { x = { 1, 2, 3 }, z = { { 1, 2 }, { 3, 4 } } })
  refused("must increase", { x = { 2, 1 }, z = { { 1, 2 }, { 3, 4 } } })
  refused("did you mean \"blue\"?", { y = { 1 }, colour = "bleu" })
  refused("y_range must be { from, to }", { y = { 1 }, y_range = { 2, 1 } })
  refused("panel 1: unknown option", { panels = { { y = { 1 }, file = "b.svg" } } })
end
