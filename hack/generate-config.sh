#!/usr/bin/env bash
# Writes what config/ needs for every kind, from the generated CRDs: a role for editors and one for viewers, and the
# kustomizations that list them.
set -euo pipefail
export LC_ALL=C # one order of names on every machine
cd "$(dirname "${BASH_SOURCE[0]}")/../config"

field() { sed -n "s/^ *$1: //p" "$2" | head -1; } # name, file

role() { # editor|viewer, singular, plural, scope, whether it scales
  local verbs='[get, list, watch]' scale='[get]' joins=(view) join
  if [ "$1" = editor ]; then
    verbs='[create, delete, deletecollection, get, list, patch, update, watch]' scale='[get, patch, update]' joins=(admin edit)
  fi
  if [ "$4" = Cluster ]; then
    joins=()
    echo "# For cluster administrators to bind: what many namespaces use is not any namespace's to change."
  else
    echo "# Joins the built-in roles that its labels name."
  fi
  cat <<EOF
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: servicestage-$2-$1
  labels:
    app.kubernetes.io/name: servicestage-operator
EOF
  for join in ${joins[@]+"${joins[@]}"}; do echo "    rbac.authorization.k8s.io/aggregate-to-$join: \"true\""; done
  cat <<EOF
rules:
- apiGroups: [servicestage.dev]
  resources: [$3]
  verbs: $verbs
- apiGroups: [servicestage.dev]
  resources: [$3/status]
  verbs: [get]
EOF
  if [ "$5" = scales ]; then
    printf -- '- apiGroups: [servicestage.dev]\n  resources: [%s/scale]\n  verbs: %s\n' "$3" "$scale"
  fi
}

kustomization() { # folder, files...
  local folder=$1 file
  shift
  {
    printf '# Written by hack/generate-config.sh.\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n'
    for file; do printf -- '- %s\n' "${file#"$folder"/}"; done
  } >"$folder/kustomization.yaml"
}

rm -f rbac/*_editor_role.yaml rbac/*_viewer_role.yaml
for crd in crd/bases/*.yaml; do
  singular=$(field singular "$crd") plural=$(field plural "$crd") scope=$(field scope "$crd") scales=
  if grep -q '^      scale:' "$crd"; then scales=scales; fi
  for who in editor viewer; do role $who "$singular" "$plural" "$scope" "$scales" >"rbac/${singular}_${who}_role.yaml"; done
done
kustomization crd crd/bases/*.yaml
rm -f rbac/kustomization.yaml # not one of its own resources
kustomization rbac rbac/*.yaml
