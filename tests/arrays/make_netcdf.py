"""How netcdf.nc was made: by the netCDF4 package, with the kinds that test_compiler_netcdf.c knows the values of."""
import netCDF4
import numpy as np

f = netCDF4.Dataset("netcdf.nc", "w")
f.createDimension("row", 3)
f.createDimension("column", 2)
f.createDimension("time", None)
f.createDimension("width", 5)
f.createVariable("x", "f8", ("row", "column"))[:] = [[1.5, 2], [3, 4], [5, 6]]
v = f.createVariable("holes", "f4", ("row",), fill_value=-999)
v[:] = [0.5, -999, 2]
v = f.createVariable("packed", "i2", ("row",))
v.set_auto_maskandscale(False)
v.scale_factor, v.add_offset = 0.5, 10.0
v[:] = [0, 1, -4]
v = f.createVariable("n", "i8", ("row",), fill_value=-1)
v[:] = [9223372036854775807, -1, 3]
v = f.createVariable("on", "i1", ("row",))
v.dtype_ = "x"
v.delncattr("dtype_")
v.setncattr("dtype", "bool")
v[:] = [1, 0, 1]
f.createVariable("name", str, ("row",))[:] = np.array(["pear", "äpfel", "pear"], dtype=object)
f.createVariable("letters", "S1", ("row", "width"))[:] = netCDF4.stringtochar(np.array(["ab", "abcde", ""], dtype="S5"))
f.createVariable("time", "i4", ("time",))[:] = [10, 20]
f.createVariable("one", "f8", ())[:] = 2.5
g = f.createGroup("observed_data")
g.createDimension("obs", 2)
g.createVariable("obs", "i8", ("obs",))[:] = [0, 1]
g.createVariable("y", "f8", ("obs",))[:] = [7, 8]
f.createGroup("posterior").createVariable("mu", "f8", ())[:] = 1
f.close()
