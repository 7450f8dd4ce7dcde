#!/usr/bin/env bash
# The alert rules of conf/examples: promtool reads them, each is seen firing (alerts_test.yml).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rules=$here/../../conf/examples/prometheus-alerts.yml

promtool check rules "$rules"
promtool test rules "$here/alerts_test.yml"

failed=0
while read -r alert; do
	grep -q "ALERTS{alertname=\"$alert\",alertstate=\"firing\"" "$here/alerts_test.yml" || {
		echo "no test in $here/alerts_test.yml sees $alert firing"
		failed=1
	}
done < <(sed -n 's/^ *- alert: *//p' "$rules")
exit "$failed"
