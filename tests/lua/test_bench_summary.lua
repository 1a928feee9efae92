--- What the rounds of a comparison say.
local lu = require "luaunit"
local summary = require "swale.bench.summary"

TestBenchSummary = {}

local function round(peer_ms, swale_ms)
  return { peer_ms = peer_ms, swale_ms = swale_ms }
end

function TestBenchSummary:test_the_way_of_all_rounds_counts()
  local s = summary.of("row", 1, { round({ a = 4, b = 5 }, 2), round({ b = 6 }, 2) })
  lu.assert_equals({ s.way, s.peer_ms, s.ratio, s.least, s.most }, { "b", 5.5, 2.75, 2.5, 3 })
end

--- An interrupted comparison may go on with another way, twice.
function TestBenchSummary:test_rounds_without_a_common_way_count_with_their_fastest()
  local s = summary.of("row", 1, { round({ a = 4, b = 5 }, 2), round({ b = 6 }, 2),
    round({ a = 8 }, 2) })
  lu.assert_equals({ s.way, s.peer_ms, s.ratio, s.least, s.most }, { "several", 6, 3, 2, 4 })
end

function TestBenchSummary:test_a_row_without_rounds_has_no_ratio()
  lu.assert_nil(summary.of("row", 1, {}).ratio)
end

--- A fault that has a bar in it leaves the columns as they are; ways that failed are listed below.
function TestBenchSummary:test_markdown_with_faults()
  local measured = summary.of("row", 1, { round({ a = 4 }, 2) })
  measured.fault, measured.without = "Swale: no memory", { b = "no compiler" }
  local failed = summary.of("other", 1, {})
  failed.fault = "PyTorch: a | b"
  lu.assert_str_matches(summary.markdown { measured, failed }, "| row |.*|\n|.*|\n"
    .. "| row | 4 | a | 2 | 2%.00 | 2%.00–2%.00 |  |\n"
    .. "| other |  |  |  |  | PyTorch: a \\| b |  |\n\n"
    .. "%- row after 1 round: Swale: no memory\n%- row without b: no compiler")
  lu.assert_str_matches(summary.total { measured, failed }, "1 row: .*; 2 failed")
end
