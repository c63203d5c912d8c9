// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"encoding/json"
	"testing"
)

// Members of any JSON type are read; what makes no sense is the zero value.
func TestTolerantMembers(t *testing.T) {
	tests := []struct {
		json    string
		text    text
		integer integer
		boolean boolean
		millis  millis
	}{
		{`null`, "", 0, false, 0},
		{`""`, "", 0, false, 0},
		{`"word"`, "word", 0, false, 0},
		{`true`, "true", 0, true, 0},
		{`"True"`, "True", 0, true, 0},
		{`false`, "false", 0, false, 0},
		{`1`, "1", 1, true, 1000},
		{`"2"`, "2", 2, false, 2000},
		{`-3`, "-3", -3, false, 0},
		{`2.0`, "2.0", 2, false, 2000},
		{`1e300`, "1e300", 0, false, 0},
		{`1679556221933`, "1679556221933", 1679556221933, false, 1679556221933},
		{`" 1679556221933 "`, " 1679556221933 ", 1679556221933, false, 1679556221933},
		{`1679556221`, "1679556221", 1679556221, false, 1679556221000},
		{`"2023-03-23T07:23:41.933Z"`, "2023-03-23T07:23:41.933Z", 0, false, 1679556221933},
		{`"2023-03-23T15:23:41.933+08:00"`, "2023-03-23T15:23:41.933+08:00", 0, false, 1679556221933},
		{`"2023-03-23T07:23:41.933"`, "2023-03-23T07:23:41.933", 0, false, 1679556221933},
		{`"2023-03-23 07:23:41"`, "2023-03-23 07:23:41", 0, false, 1679556221000},
		{`{"a": [1, "x"]}`, `{"a":[1,"x"]}`, 0, false, 0},
	}
	for _, tt := range tests {
		var got struct {
			Text    text
			Integer integer
			Boolean boolean
			Millis  millis
		}
		got.Text, got.Integer, got.Boolean, got.Millis = "x", 7, true, 7
		data := `{"Text":` + tt.json + `,"Integer":` + tt.json + `,"Boolean":` + tt.json + `,"Millis":` + tt.json + `}`
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			t.Errorf("%s: %v", tt.json, err)
		}
		if got.Text != tt.text || got.Integer != tt.integer || got.Boolean != tt.boolean || got.Millis != tt.millis {
			t.Errorf("%s = %+v, want %+v", tt.json, got, tt)
		}
	}
}
