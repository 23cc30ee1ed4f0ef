{{/* Names and labels shared by every resource. */}}

{{- define "callcard.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 56 characters leave room for "-admin" and its like within a name's 63. */}}
{{- define "callcard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "callcard.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 56 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a selector may name: it can never change again. */}}
{{- define "callcard.selectorLabels" -}}
app.kubernetes.io/name: {{ include "callcard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The pods that answer, as against those of `helm test`. */}}
{{- define "callcard.serverLabels" -}}
{{ include "callcard.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "callcard.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "callcard.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: callcard
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "callcard.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "callcard.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "callcard.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "callcard.secretName" -}}
{{- .Values.secret.existingSecret | default (include "callcard.fullname" .) -}}
{{- end -}}

{{/* Secrets by entry of `secret`, with the variable each becomes. */}}
{{- define "callcard.secretVariables" -}}
kommoToken: CALLCARD_KOMMO_TOKEN
kommoClientSecret: CALLCARD_KOMMO_CLIENT_SECRET
kommoRefreshToken: CALLCARD_KOMMO_REFRESH_TOKEN
apiKeys: CALLCARD_API_KEYS
webhookSecret: CALLCARD_WEBHOOK_SECRET
sharedUrl: CALLCARD_SHARED_URL
sharedKey: CALLCARD_SHARED_KEY
{{- end -}}

{{/* Conditions, "true" or "". */}}
{{- define "callcard.shared" -}}
{{- if or .Values.shared (and .Values.secret.sharedUrl (not .Values.secret.existingSecret)) }}true{{ end -}}
{{- end -}}
{{- define "callcard.several" -}}
{{- if or (and .Values.autoscaling.enabled (gt (int .Values.autoscaling.maxReplicas) 1)) (and (not .Values.autoscaling.enabled) (gt (int .Values.replicaCount) 1)) }}true{{ end -}}
{{- end -}}
{{- define "callcard.exclusive" -}}
{{- if or .Values.persistence.enabled (and .Values.kommo.clientId (not (include "callcard.shared" .))) }}true{{ end -}}
{{- end -}}

{{/* The environment of callcard: the deployment and the test of the configuration use the same. */}}
{{- define "callcard.env" -}}
- name: CALLCARD_LISTEN
  value: 0.0.0.0:8080
- name: CALLCARD_ADMIN_LISTEN
  value: 0.0.0.0:9090
- name: CALLCARD_KOMMO_URL
  value: {{ .Values.kommo.url | quote }}
{{- with .Values.kommo.webUrl }}
- name: CALLCARD_KOMMO_WEB_URL
  value: {{ . | quote }}
{{- end }}
{{- if .Values.kommo.plainHttp }}
- name: CALLCARD_KOMMO_PLAIN_HTTP
  value: "on"
{{- end }}
{{- with .Values.kommo.clientId }}
- name: CALLCARD_KOMMO_CLIENT_ID
  value: {{ . | quote }}
- name: CALLCARD_KOMMO_REDIRECT_URI
  value: {{ $.Values.kommo.redirectUri | quote }}
- name: CALLCARD_TOKEN_STORE
  value: /var/lib/callcard/token.json
{{- end }}
{{- if eq .Values.config.directory "mirror" }}
- name: CALLCARD_DIRECTORY_PATH
  value: /var/lib/callcard/directory
{{- end }}
{{- range $name, $value := .Values.config }}
{{- if $value }}
- name: CALLCARD_{{ $name | snakecase | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- range $entry, $variable := include "callcard.secretVariables" . | fromYaml }}
{{- if or $.Values.secret.existingSecret (get $.Values.secret $entry) }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "callcard.secretName" $ }}
      key: {{ get $.Values.secret.entries $entry }}
      {{- if $.Values.secret.existingSecret }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
