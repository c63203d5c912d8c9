// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire reads JSON members of which the references and the clouds disagree on the type. Its types take them all,
// and read what makes no sense as the zero value, so that one odd member does not hide the rest of a record.
package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Text reads a string as it is, null as "", and anything else as its JSON.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(data []byte) error {
	var plain *string
	if json.Unmarshal(data, &plain) == nil {
		*t = ""
		if plain != nil {
			*t = Text(*plain)
		}
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return err
	}
	*t = Text(compact.String())
	return nil
}

// Integer reads a number, or a string that holds one.
type Integer int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Integer) UnmarshalJSON(data []byte) error {
	var word Text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	*n = Integer(wholeNumber(string(word)))
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

// Boolean reads true, and the strings and numbers that mean it.
type Boolean bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *Boolean) UnmarshalJSON(data []byte) error {
	var word Text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	truth, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(string(word))))
	*b = Boolean(err == nil && truth)
	return nil
}

// Millis reads a time as milliseconds since the epoch: from milliseconds, seconds, or one of the forms of timeLayouts.
type Millis int64

// timeLayouts are the forms in which times come as text. Without a zone they are in UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime}

// firstMilli is the number from which a time counts as milliseconds: as seconds it would be in the year 5138.
const firstMilli = 100_000_000_000

// UnmarshalJSON implements json.Unmarshaler.
func (m *Millis) UnmarshalJSON(data []byte) error {
	var word Text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	value := strings.TrimSpace(string(word))
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, value); err == nil {
			*m = Millis(at.UnixMilli())
			return nil
		}
	}
	n := wholeNumber(value)
	if n < firstMilli {
		n *= 1000
	}
	*m = Millis(max(0, n))
	return nil
}

// List reads a list without its nulls, and anything else as an empty one.
type List[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *List[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	var members []json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	for _, member := range members {
		if string(bytes.TrimSpace(member)) == "null" {
			continue
		}
		var value T
		if err := json.Unmarshal(member, &value); err != nil {
			return err
		}
		*l = append(*l, value)
	}
	return nil
}

// Texts reads an object of texts, and anything else as an empty one.
type Texts map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *Texts) UnmarshalJSON(data []byte) error {
	*m = nil
	var members map[string]Text
	if json.Unmarshal(data, &members) != nil || len(members) == 0 {
		return nil
	}
	*m = make(Texts, len(members))
	for name, value := range members {
		(*m)[name] = string(value)
	}
	return nil
}

// Strings returns a list of texts as strings.
func Strings(texts []Text) []string {
	if len(texts) == 0 {
		return nil
	}
	out := make([]string, 0, len(texts))
	for _, text := range texts {
		out = append(out, string(text))
	}
	return out
}
