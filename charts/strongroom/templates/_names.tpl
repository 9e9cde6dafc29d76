{{- define "strongroom.selector" -}}
app.kubernetes.io/name: strongroom
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "strongroom.labels" -}}
{{ include "strongroom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "strongroom.image" -}}
{{ required "image.repository is needed: build the image with 'make image', push it, and name it here" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Backends beside NetworkPolicy that are wished for and that the cluster serves: as JSON. */}}
{{- define "strongroom.backends" -}}
{{- $served := dict "Cilium" (list "cilium.io/v2") "Calico" (list "projectcalico.org/v3" "crd.projectcalico.org/v1") "ClusterNetworkPolicy" (list "policy.networking.k8s.io/v1beta1" "policy.networking.k8s.io/v1alpha2") -}}
{{- $found := list -}}
{{- range $backend := .Values.network.backends -}}
{{- range $version := get $served $backend -}}
{{- if and (not (has $backend $found)) ($.Capabilities.APIVersions.Has $version) -}}
{{- $found = append $found $backend -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What the operator may do to the objects of these backends. */}}
{{- define "strongroom.backendRules" -}}
{{- $backends := include "strongroom.backends" . | fromJsonArray -}}
{{- if has "Cilium" $backends }}
- apiGroups: [cilium.io]
  resources: [ciliumclusterwidenetworkpolicies, ciliumcidrgroups, ciliumnetworkpolicies]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if has "Calico" $backends }}
- apiGroups: [projectcalico.org, crd.projectcalico.org]
  resources: [globalnetworkpolicies, tier.globalnetworkpolicies, globalnetworksets, tiers]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if has "ClusterNetworkPolicy" $backends }}
- apiGroups: [policy.networking.k8s.io]
  resources: [clusternetworkpolicies]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- end -}}

{{- define "strongroom.nodeAgentSelector" -}}
app.kubernetes.io/name: strongroom
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node-agent
{{- end }}

{{- define "strongroom.nodeAgentLabels" -}}
{{ include "strongroom.nodeAgentSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
