{{/*
Combinations of values that must not be installed. All faults are reported at once, as callcard itself does with its variables. What only an
existing Secret knows is left to callcard, whose pod then says what is missing and does not become ready.
*/}}
{{- define "callcard.validate" -}}
{{- $faults := list -}}
{{- if not .Values.kommo.url -}}
{{- $faults = append $faults "kommo.url is required: the account, such as https://acme.kommo.com" -}}
{{- end -}}
{{- if and (hasPrefix "http://" .Values.kommo.url) (not .Values.kommo.plainHttp) (not (hasPrefix "http://127.0.0.1" .Values.kommo.url)) -}}
{{- $faults = append $faults "kommo.url would send the token unencrypted: use https://, or say kommo.plainHttp=true" -}}
{{- end -}}
{{- if not .Values.secret.existingSecret -}}
{{- if and (not .Values.kommo.clientId) (not .Values.secret.kommoToken) -}}
{{- $faults = append $faults "no CRM credentials: set secret.kommoToken, or kommo.clientId and its secrets, or secret.existingSecret" -}}
{{- end -}}
{{- if and .Values.kommo.clientId (not (and .Values.secret.kommoClientSecret .Values.secret.kommoRefreshToken)) -}}
{{- $faults = append $faults "OAuth2 (kommo.clientId) needs secret.kommoClientSecret and secret.kommoRefreshToken" -}}
{{- end -}}
{{- if not (or .Values.secret.apiKeys (eq .Values.config.auth "none")) -}}
{{- $faults = append $faults "callers need keys: set secret.apiKeys or secret.existingSecret, or say config.auth=none to serve anyone" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.kommo.clientId (not .Values.kommo.redirectUri) -}}
{{- $faults = append $faults "OAuth2 (kommo.clientId) needs kommo.redirectUri" -}}
{{- end -}}
{{- if and .Values.kommo.clientId (not .Values.persistence.enabled) (not (include "callcard.shared" .)) -}}
{{- $faults = append $faults "OAuth2 rotates its tokens: set persistence.enabled or a shared store, or a restart loses them" -}}
{{- end -}}
{{- if and (include "callcard.several" .) (not (include "callcard.shared" .)) -}}
{{- $faults = append $faults "several replicas need a shared store (secret.sharedUrl, or shared=true with secret.existingSecret): without it each spends the whole CRM quota" -}}
{{- end -}}
{{- if and (include "callcard.several" .) .Values.persistence.enabled (not (has "ReadWriteMany" .Values.persistence.accessModes)) -}}
{{- $faults = append $faults "several replicas cannot mount one ReadWriteOnce claim: turn persistence off or use ReadWriteMany" -}}
{{- end -}}
{{- if and (include "callcard.several" .) .Values.persistence.enabled (eq .Values.config.directory "mirror") -}}
{{- $faults = append $faults "several replicas cannot write one mirror's file (config.directory): without persistence each has its own, and gets what it lacks from the others" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $faults = append $faults "httpRoute.enabled needs httpRoute.parentRefs" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $faults = append $faults "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n- %s\n" (join "\n- " $faults)) -}}
{{- end -}}
{{- end -}}
