module strongroom.test/cluster/build/pause

go 1.26.0
