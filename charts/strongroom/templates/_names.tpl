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
{{- $served := dict "Cilium" "cilium.io/v2" "Calico" "projectcalico.org/v3" "ClusterNetworkPolicy" "policy.networking.k8s.io/v1alpha2" -}}
{{- $found := list -}}
{{- range .Values.network.backends -}}
{{- if or ($.Capabilities.APIVersions.Has (get $served .)) (and (eq . "Calico") ($.Capabilities.APIVersions.Has "crd.projectcalico.org/v1")) -}}
{{- $found = append $found . -}}
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
