// Package calico pins the types of Calico's API, of which controller-gen makes CRDs.
package calico

import _ "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
