-- Files, written and read.
local folder = ...
local path = folder .. "/a.safetensors"
local given = { w = core.tensor { 1, 2, 3 }, b = core.tensor({ { 1 } }, "float64") }
assert(core.safetensors_write(path, given, { step = "3", kind = "test" }))
for _, mapped in ipairs { false, true } do
  local tensors, metadata, code = core.safetensors_read(path, mapped)
  assert(tensors, code and metadata)
  assert(tensors.w:get(3) == 3 and metadata.step == "3")
end
assert(os.remove(path))

path = folder .. "/labels.idx"
assert(core.idx_write(core.tensor({ 1, 2 }, "uint8"), path))
assert(assert(core.idx_read(path)):get(2) == 2)
assert(os.remove(path))

path = folder .. "/images.bin"
assert(core.write_file(path, "\7" .. ("\1\2\3"):rep(1024)))
local images, classes = core.cifar_read(path, "cifar10")
assert(images, classes)
assert(images:get(1, 1, 2, 1) == 2 and classes:get(1, 1) == 7)
assert(os.remove(path))
assert(core.bytes("ab", ("\5"):rep(256)):get(2) == 5)

path = folder .. "/text"
assert(core.write_file(path, "hello\n"))
assert(core.file_sha256(path) == core.sha256 "hello\n")
assert(os.remove(path))

path = folder .. "/a.npy"
assert(core.npy_write(given.w, path))
assert(assert(core.npy_read(path)):get(3) == 3)
assert(os.remove(path))

path = folder .. "/a.csv"
assert(core.csv_write(core.tensor { { 1, 0 }, { 2, 1 } }, path, { "a", "kind" }))
local values, labels, names = core.csv_read(path, { label = "kind", classes = { "0", "1" } })
assert(values, names and labels)
assert(values:get(2, 1) == 2 and labels:get(2) == 1 and names[1] == "a")
assert(os.remove(path))
