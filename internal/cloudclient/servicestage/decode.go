// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import "servicestage.dev/operator/internal/cloudclient/wire"

// The references and the clouds disagree on the JSON types of some members; these read them all.
type (
	text    = wire.Text
	integer = wire.Integer
	boolean = wire.Boolean
	millis  = wire.Millis
)
