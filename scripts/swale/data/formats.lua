--- The formats in which data sets by name come: how files become tensors, and tensors splits. A
--- manifest names its format; a new one is a reader, such as swale.data.cifar, and its row here.

---@class swale.DataFormat
---@field as_published boolean  only the published files are read; else others too, which are never
---cached
---@field complete fun(manifest: swale.Manifest, has: fun(key: string): boolean): boolean
---whether the files that are there are enough
---@field read fun(paths: table<string, string>, manifest: swale.Manifest): swale.DataTensors
---of files by the manifest's keys; raises what is wrong with one
---@field metadata fun(tensors: swale.DataTensors): table<string, string>   moments, for the cache
---@field normalisation fun(kind: string, metadata: table<string, string>): swale.Normalisation|nil
---those moments, as they were kept
---@field parts fun(tensors: swale.DataTensors, o: swale.PartsOptions): swale.DataParts
---@field valid? fun(n: integer): integer   validation images of n, where the user may choose

---@alias swale.DataTensors table<string, swale.Tensor>   "train.x", …; as the cache keeps them
---@alias swale.DataParts table<string, { x: swale.Tensor, y: swale.Tensor }>   by split

---@class swale.PartsOptions
---@field valid? integer        how many training images are validation
---@field column integer        of the labels, where an image has several

---@type table<string, swale.DataFormat>
return {
  cifar = require("swale.data.cifar").format,
  idx = require("swale.data.idx").format,
}
