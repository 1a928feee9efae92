---@meta _
-- swale.core: files, and JSON.

---@class swale.core
local core = {}

---Writes to a temporary name in the same folder, syncs, renames.
---@param path string
---@param text string
---@return true|nil ok, string? message, string? code
function core.write_file(path, text) end
---The SHA-256 of a text, as hexadecimal digits.
---@param text string
---@return string
function core.sha256(text) end
---The SHA-256 of a regular file.
---@param path string
---@return string|nil digest, string? message, string? code
function core.file_sha256(path) end
---Objects with sorted keys; a sequence is an array, an empty table an object; nan, inf and -inf are strings;
---floats keep all their digits, integers stay integers; bytes that are not UTF-8 become U+FFFD.
---@param value any
---@param indent? integer           spaces; nil: one line
---@return string
function core.json_encode(value, indent) end
---@param text string
---@return any value, string? message, string? code     nil and why if it is not JSON; JSON's null is nil
function core.json_decode(text) end

---The bytes of a string as they are, or as a table of 256 of them says.
---@param text string
---@param table? string
---@return swale.Tensor             uint8, one axis
function core.bytes(text, table) end
---@param path string
---@return swale.Tensor|nil tensor, string? message, string? code
function core.idx_read(path) end
---@param tensor swale.Tensor
---@param path string
---@return true|nil ok, string? message, string? code
function core.idx_write(tensor, path) end
---@param path string
---@param kind "cifar10"|"cifar100"
---@return swale.Tensor|nil x, swale.Tensor|string y, string? code    uint8 (N, 32, 32, 3); (N, 1), or (N, 2): coarse, fine
function core.cifar_read(path, kind) end
---NumPy's format, in either byte order: float16 is read as float32, bool as uint8, other integers
---as int32 if every value fits.
---@param path string
---@return swale.Tensor|nil tensor, string? message, string? code
function core.npy_read(path) end
---@param tensor swale.Tensor
---@param path string
---@return true|nil ok, string? message, string? code
function core.npy_write(tensor, path) end
---@class swale.CsvReadOptions
---@field separator? string         one character; nil: found from the first line
---@field header? boolean           whether the first line has names; nil: inferred
---@field dtype? "float32"|"float64"
---@field missing? "refuse"|"nan"   what an empty field, NA, N/A or null is
---@field label? string|integer     the column of class labels: its name, or its place (-1: the last)
---@field classes? string[]         the labels' words; nil: labels are whole numbers from 0
---@param path string
---@param options? swale.CsvReadOptions
---@return swale.Tensor|nil values, swale.Tensor|false|string labels, string[]|string names    (rows, columns but the label's); int32 (rows)
function core.csv_read(path, options) end
---@param tensor swale.Tensor       of one or two dimensions
---@param path string
---@param names? string[]           one a column
---@return true|nil ok, string? message, string? code
function core.csv_write(tensor, path, names) end
---@param path string
---@param tensors table<string, swale.Tensor>    written in the order of their names
---@param metadata? table<string, string>
---@return true|nil ok, string? message, string? code
function core.safetensors_write(path, tensors, metadata) end
---float16 and bfloat16 are read as float32, bool as uint8, other integers as int32 if every value
---fits.
---@param path string
---@param mapped? boolean           views of the file, read only
---@return table<string, swale.Tensor>|nil tensors, table<string, string>|string metadata, string? code
function core.safetensors_read(path, mapped) end

---@class swale.MetricsFile    a metrics.jsonl as columns of numbers; rows count from 1
local MetricsFile = {}
---@return string[]            of lines, in the order of their first one; "" of lines without a kind
function MetricsFile:kinds() end
---@param kind string
---@return integer
function MetricsFile:rows(kind) end
---@param kind string
---@return string[]
function MetricsFile:names(kind) end
---@param kind string
---@param name string
---@param rows? integer[]      all, unless given
---@return number[]|nil        nan where a row has no value; nil: no such column
function MetricsFile:values(kind, name, rows) end
---@param kind string
---@param name string
---@return { count: integer, last: integer, least: integer?, greatest: integer? }|nil   the last three are rows
function MetricsFile:summary(kind, name) end
---@param kind string
---@param name string
---@param points integer       4 or more
---@return integer[]|nil       at most so many rows: the first, the last, the least and greatest between
function MetricsFile:thin(kind, name, points) end
function MetricsFile:free() end

---@param path string
---@param kind? string         of lines; all, unless given
---@return swale.MetricsFile|nil, string? message, string? code
function core.metrics_read(path, kind) end
