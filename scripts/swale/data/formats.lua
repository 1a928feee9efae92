--- The formats of known data sets: from files to tensors, and from tensors to splits. A manifest
--- names its format; a new one is a reader, such as swale.data.cifar, and its row here.

---@class swale.DataFormat
---@field as_published boolean  files other than the published ones are refused; else they are read,
---but not cached
---@field complete fun(manifest: swale.Manifest, has: fun(key: string): boolean): boolean
---whether the files that exist are enough
---@field read fun(paths: table<string, string>, manifest: swale.Manifest): swale.DataTensors
---of the files by the manifest's keys; raises faults of files
---@field metadata fun(tensors: swale.DataTensors): table<string, string>   moments, for the cache
---@field normalisation fun(kind: string, metadata: table<string, string>): swale.Normalisation|nil
---of the moments in the metadata
---@field parts fun(tensors: swale.DataTensors, o: swale.PartsOptions): swale.DataParts
---@field valid? fun(n: integer): integer   validation images of n, where the user may choose

---@alias swale.DataTensors table<string, swale.Tensor>   "train.x", …; as the cache keeps them
---@alias swale.DataParts table<string, { x: swale.Tensor, y: swale.Tensor }>   by split

---@class swale.PartsOptions
---@field valid? integer        number of validation images
---@field column integer        of the labels, if an image has several

---@type table<string, swale.DataFormat>
return {
  cifar = require("swale.data.cifar").format,
  idx = require("swale.data.idx").format,
}
