// Command network-oracle says what NetworkPolicies allow, by the matcher of cyclonus. It reads one
// case a line and writes one line for each, in the same order.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

type namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

type pod struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Addresses   []string          `json:"addresses"`
	HostNetwork bool              `json:"hostNetwork"`
	Ports       []struct {
		Name     string          `json:"name"`
		Port     int             `json:"port"`
		Protocol corev1.Protocol `json:"protocol"`
	} `json:"ports"`
}

// A connection is between addresses: whose they are is found out here.
type connection struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	Port     int             `json:"port"`
	Protocol corev1.Protocol `json:"protocol"`
}

type input struct {
	Namespaces  []namespace                   `json:"namespaces"`
	Pods        []pod                         `json:"pods"`
	Policies    []*networkingv1.NetworkPolicy `json:"policies"`
	Connections []connection                  `json:"connections"`
}

type verdict struct {
	Egress  bool `json:"egress"`
	Ingress bool `json:"ingress"`
}

type output struct {
	Verdicts []verdict `json:"verdicts,omitempty"`
	Error    string    `json:"error,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for in.Scan() {
		if err := encoder.Encode(answer(in.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Flush(); err != nil {
			os.Exit(1)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(line []byte) (result output) {
	// The matcher panics on what an API server would have refused.
	defer func() {
		if fault := recover(); fault != nil {
			result = output{Error: fmt.Sprint(fault)}
		}
	}()
	var in input
	if err := json.Unmarshal(line, &in); err != nil {
		return output{Error: err.Error()}
	}
	for _, policy := range in.Policies {
		setPolicyTypes(&policy.Spec)
	}
	policies := matcher.BuildNetworkPolicies(false, in.Policies)
	for _, each := range in.Connections {
		result.Verdicts = append(result.Verdicts, judge(policies, in, each))
	}
	return result
}

// setPolicyTypes does what an API server does before it stores a NetworkPolicy: "If no policyTypes
// are specified on a NetworkPolicy then by default Ingress will always be set and Egress will be
// set if the NetworkPolicy has any egress rules." (kubernetes.io, Network Policies)
func setPolicyTypes(spec *networkingv1.NetworkPolicySpec) {
	if len(spec.PolicyTypes) > 0 {
		return
	}
	spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(spec.Egress) > 0 {
		spec.PolicyTypes = append(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
}

// judge asks once for each name that the destination's port has, since a matcher is given one name.
func judge(policies *matcher.Policy, in input, asked connection) verdict {
	names := []string{""}
	if owner := podOf(in, asked.To); owner != nil {
		for _, port := range owner.Ports {
			if port.Port == asked.Port && port.Protocol == asked.Protocol {
				names = append(names, port.Name)
			}
		}
	}
	var found verdict
	for _, name := range names {
		allowed := policies.IsTrafficAllowed(&matcher.Traffic{
			Source:           peer(in, asked.From),
			Destination:      peer(in, asked.To),
			ResolvedPort:     asked.Port,
			ResolvedPortName: name,
			Protocol:         asked.Protocol,
		})
		found.Egress = found.Egress || allowed.Egress.IsAllowed()
		found.Ingress = found.Ingress || allowed.Ingress.IsAllowed()
	}
	return found
}

func peer(in input, address string) *matcher.TrafficPeer {
	owner := podOf(in, address)
	if owner == nil {
		return &matcher.TrafficPeer{IP: address}
	}
	return &matcher.TrafficPeer{
		IP: address,
		Internal: &matcher.InternalPeer{
			Namespace:       owner.Namespace,
			NamespaceLabels: labelsOf(in, owner.Namespace),
			PodLabels:       owner.Labels,
		},
	}
}

// podOf finds no pod with hostNetwork: "Traffic to/from hostNetwork pods is treated the same as all
// other traffic to/from the node IP. (This is the most common implementation.)" (kubernetes.io,
// Network Policies)
func podOf(in input, address string) *pod {
	for i := range in.Pods {
		if in.Pods[i].HostNetwork {
			continue
		}
		for _, own := range in.Pods[i].Addresses {
			if own == address {
				return &in.Pods[i]
			}
		}
	}
	return nil
}

func labelsOf(in input, name string) map[string]string {
	for _, each := range in.Namespaces {
		if each.Name == name {
			return each.Labels
		}
	}
	return nil
}
