// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import "crypto/tls"

// insecureTLS is for asking a server that has just made its own certificate whether it is ready, and for nothing else.
func insecureTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
