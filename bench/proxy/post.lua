-- POSTs of 16 KiB, for wrk.
wrk.method = "POST"
wrk.body = string.rep("synod ", 2731):sub(1, 16384)
wrk.headers["content-type"] = "application/octet-stream"
