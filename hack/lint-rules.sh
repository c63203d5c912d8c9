#!/usr/bin/env bash
# Proves that the import rules of .golangci.yml bite: a throwaway module with one file for each row below, linted with the
# real configuration. Every wrong import must be reported and no allowed one.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lint=$("$root/hack/tools/tool.sh" golangci-lint)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ours=servicestage.dev/operator
cp "$root/.golangci.yml" "$work/"

# verdict  file  import
rules="
deny   api/v1alpha1/a.go                   $ours/internal/external
deny   api/v1alpha1/b.go                   $ours/internal/cloudclient
allow  api/applyconfiguration/a.go         $ours/api/v1alpha1
allow  api/v1alpha1/c.go                   k8s.io/apimachinery/pkg/apis/meta/v1
deny   internal/external/a.go              $ours/api/v1alpha1
deny   internal/external/b.go              $ours/internal/cloudclient
deny   internal/external/c.go              net/http
allow  internal/external/d.go              $ours/internal/cloudclient/clouderr
deny   internal/cloudclient/a.go           k8s.io/client-go/rest
deny   internal/cloudclient/b.go           sigs.k8s.io/controller-runtime
deny   internal/cloudclient/c.go           $ours/internal/cloudsim
deny   internal/cloudclient/sub/d.go       k8s.io/apimachinery/pkg/types
deny   internal/cloudclient/sub/e.go       $ours/api/v1alpha1
deny   internal/cloudclient/f_test.go      $ours/internal/cloudsim
allow  internal/cloudclient/sub/g.go       $ours/internal/cloudclient/clouderr
deny   internal/cloudsim/a.go              $ours/internal/cloudclient
deny   internal/cloudsim/b.go              $ours/internal/cloudclient/clouderr
deny   internal/cloudsim/c.go              k8s.io/apimachinery/pkg/types
deny   internal/cloudsim/d_test.go         $ours/internal/cloudclient
allow  cmd/cloudsim/a.go                   $ours/internal/cloudsim
deny   internal/reconciler/a.go            $ours/internal/cloudclient
deny   internal/reconciler/b.go            $ours/internal/cloudsim
deny   internal/reconciler/c.go            $ours/internal/controller/environment
allow  internal/reconciler/d.go            $ours/internal/cloudclient/clouderr
allow  internal/reconciler/e.go            $ours/internal/external
deny   internal/dependency/a.go            $ours/internal/cloudclient/servicestage
deny   internal/dependency/b.go            $ours/internal/controller
deny   internal/conditions/a.go            $ours/internal/cloudclient
deny   internal/conditions/b.go            $ours/internal/cloudsim
deny   internal/account/a.go               $ours/internal/cloudsim
deny   internal/account/b.go               $ours/internal/controller/cloudaccount
allow  internal/account/c.go               $ours/internal/cloudclient
deny   internal/controller/environment/a.go       $ours/internal/controller/application
deny   internal/controller/environment/b.go       $ours/internal/cloudsim
allow  internal/controller/environment/c.go       $ours/internal/cloudclient/servicestage
allow  internal/controller/environment/h.go       $ours/internal/controller/internal/labels
allow  internal/controller/environment/d.go       $ours/internal/reconciler
allow  internal/controller/environment/e_test.go  $ours/internal/cloudsim
allow  internal/controller/environment/f_test.go  $ours/test/rig
deny   internal/controller/environment/g.go       $ours/test/rig
allow  test/bench/plots/a.go               $ours/test/bench/figures
deny   internal/test/a.go                  $ours/test/rig
deny   internal/plan/a.go                  $ours/internal/cloudclient/servicestage
deny   internal/plan/b.go                  $ours/internal/controller/environment
deny   internal/plan/c.go                  $ours/internal/cli/kinds
allow  internal/plan/d.go                  $ours/internal/reconciler
allow  internal/plan/e.go                  $ours/internal/cloudclient/clouderr
allow  internal/cli/kinds/a.go             $ours/internal/controller/environment
allow  internal/cli/kinds/b.go             $ours/internal/plan
allow  internal/cli/estate/c.go            $ours/internal/cloudclient/servicestage
deny   internal/cli/estate/d.go            $ours/internal/cloudsim
deny   internal/cli/estate/e.go            $ours/internal/manager
deny   internal/manager/a.go               $ours/internal/cli/kinds
deny   internal/reconciler/f.go            $ours/internal/plan
deny   cmd/manager/c.go                    $ours/internal/cli/kinds
allow  cmd/kubectl-servicestage/a.go       $ours/internal/cli/kinds
deny   cmd/kubectl-servicestage/b.go       $ours/internal/controller/environment
deny   cmd/kubectl-servicestage/c.go       $ours/internal/plan
deny   cmd/manager/a.go                    $ours/internal/cloudsim
allow  cmd/manager/b.go                    $ours/internal/controller/environment
allow  test/rig/a.go                       $ours/internal/cloudsim
allow  hack/demo/a.go                      $ours/test/rig
"

# Each row gets a tree of its own (the rules match the end of a path), so that rows cannot form import cycles, inside
# internal/controller, so that they may import its internal packages. What they import are empty packages at the real
# paths.
row=0 rows=internal/controller/row
printf 'module %s\n\ngo 1.26.0\n' "$ours" >"$work/go.mod"
modules=
while read -r verdict file import; do
  [ -n "$verdict" ] || continue
  row=$((row + 1))
  mkdir -p "$work/$rows$row/$(dirname "$file")"
  printf 'package p\n\nimport _ "%s"\n' "$import" >"$work/$rows$row/$file"
  case $import in
    "$ours"/*) target=$work/${import#"$ours"/} ;;
    *.*/*)
      module=$(cut -d/ -f1-2 <<<"$import")
      target=$work/stub/$import
      mkdir -p "$work/stub/$module"
      printf 'module %s\n' "$module" >"$work/stub/$module/go.mod"
      modules+="$module"$'\n'
      ;;
    *) continue ;;
  esac
  mkdir -p "$target"
  printf 'package p\n' >"$target/p.go"
done <<<"$rules"
sort -u <<<"$modules" | while read -r module; do
  [ -z "$module" ] || printf 'require %s v0.0.0\nreplace %s => ./stub/%s\n' "$module" "$module" "$module" >>"$work/go.mod"
done

report=$work/report
(cd "$work" && GOFLAGS=-mod=mod GOPROXY=off "$lint" run --enable-only depguard --issues-exit-code 0 --show-stats=false \
  --output.text.path "$report" --output.text.colors=false ./... >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
if grep typecheck "$report" >&2; then echo "lint-rules: the throwaway module does not build" >&2; exit 1; fi

row=0 failed=0
while read -r verdict file import; do
  [ -n "$verdict" ] || continue
  row=$((row + 1))
  if grep -q "^$rows$row/$file:.*depguard" "$report"; then got=deny; else got=allow; fi
  if [ "$got" != "$verdict" ]; then
    echo "lint-rules: $file importing $import: expected $verdict, got $got" >&2
    failed=1
  fi
done <<<"$rules"
[ "$failed" = 0 ] || exit 1
echo "lint-rules: $row import rules hold"
