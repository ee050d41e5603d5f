{{- /* Names are fixed: there is one installation in a cluster. */ -}}
{{- define "portcullis.selector" -}}
app.kubernetes.io/name: portcullis
app.kubernetes.io/component: webhook
{{- end }}

{{- define "portcullis.labels" -}}
app.kubernetes.io/name: portcullis
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "portcullis.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* What the schema cannot say. */ -}}
{{- define "portcullis.check" -}}
{{- with .Values -}}
{{- if eq .image.tag "latest" -}}
{{- fail "image.tag: write a version: `latest` changes under a running cluster" -}}
{{- end -}}
{{- if and .image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" .image.digest)) -}}
{{- fail (printf "image.digest: `%s` is none: write sha256: and 64 hexadecimal digits" .image.digest) -}}
{{- end -}}
{{- if not (regexMatch "^(off|[0-9]+(ms|s|m))$" .auditInterval) -}}
{{- fail (printf "auditInterval: `%s` is no time: write minutes or seconds, such as 60m, or off" .auditInterval) -}}
{{- end -}}
{{- if and .certificates.caFrom (not (regexMatch "^[a-z0-9.-]+/[a-z0-9.-]+$" .certificates.caFrom)) -}}
{{- fail (printf "certificates.caFrom: `%s` is no Certificate: write NAMESPACE/NAME" .certificates.caFrom) -}}
{{- end -}}
{{- if and .certificates.caFrom (not .certificates.secretName) -}}
{{- fail "certificates.caFrom needs certificates.secretName, the Secret of that Certificate" -}}
{{- end -}}
{{- if and .certificates.secretName (not .certificates.caFrom) -}}
{{- fail "certificates.secretName needs certificates.caFrom: NAMESPACE/NAME of its Certificate" -}}
{{- end -}}
{{- end -}}
{{- end }}
