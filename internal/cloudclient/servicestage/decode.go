// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// The references and the clouds disagree on the JSON types of some members. The types below read them all, and read
// what makes no sense as the zero value, so that one odd member does not hide the rest of a record.

// text reads a string as it is, null as "", and anything else as its JSON.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var plain *string
	if json.Unmarshal(data, &plain) == nil {
		*t = ""
		if plain != nil {
			*t = text(*plain)
		}
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return err
	}
	*t = text(compact.String())
	return nil
}

// integer reads a number, or a string that holds one.
type integer int64

func (n *integer) UnmarshalJSON(data []byte) error {
	var word text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	*n = integer(wholeNumber(string(word)))
	return nil
}

func wholeNumber(word string) int64 {
	word = strings.TrimSpace(word)
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n
	}
	const exact = 1 << 53 // beyond it a float is not a whole number to rely on
	if f, err := strconv.ParseFloat(word, 64); err == nil && f > -exact && f < exact {
		return int64(f)
	}
	return 0
}

// boolean reads true, and the strings and numbers that mean it.
type boolean bool

func (b *boolean) UnmarshalJSON(data []byte) error {
	var word text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	truth, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(string(word))))
	*b = boolean(err == nil && truth)
	return nil
}

// millis reads a time as milliseconds since the epoch: from milliseconds, seconds, or one of the forms of timeLayouts.
type millis int64

// timeLayouts are the forms in which times come as text. Without a zone they are in UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime}

// firstMilli is the number from which a time counts as milliseconds: as seconds it would be in the year 5138.
const firstMilli = 100_000_000_000

func (m *millis) UnmarshalJSON(data []byte) error {
	var word text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	value := strings.TrimSpace(string(word))
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, value); err == nil {
			*m = millis(at.UnixMilli())
			return nil
		}
	}
	n := wholeNumber(value)
	if n < firstMilli {
		n *= 1000
	}
	*m = millis(max(0, n))
	return nil
}
