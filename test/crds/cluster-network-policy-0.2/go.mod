module strongroom.test/crds/cluster-network-policy-0.2

go 1.26.0

require sigs.k8s.io/network-policy-api v0.2.0
