// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Members of any JSON type are read; what makes no sense is the zero value.
func TestScalars(t *testing.T) {
	tests := []struct {
		json    string
		text    Text
		integer Integer
		boolean Boolean
		millis  Millis
	}{
		{`null`, "", 0, false, 0},
		{`""`, "", 0, false, 0},
		{`"word"`, "word", 0, false, 0},
		{`true`, "true", 0, true, 0},
		{`"True"`, "True", 0, true, 0},
		{`1`, "1", 1, true, 1000},
		{`"2"`, "2", 2, false, 2000},
		{`-3`, "-3", -3, false, 0},
		{`2.0`, "2.0", 2, false, 2000},
		{`1e300`, "1e300", 0, false, 0},
		{`1623139038`, "1623139038", 1623139038, false, 1623139038000},
		{`"1623139038"`, "1623139038", 1623139038, false, 1623139038000},
		{`1679556221933`, "1679556221933", 1679556221933, false, 1679556221933},
		{`"2023-03-23T07:23:41.933Z"`, "2023-03-23T07:23:41.933Z", 0, false, 1679556221933},
		{`"2023-03-23 07:23:41"`, "2023-03-23 07:23:41", 0, false, 1679556221000},
		{`{"a": [1, "x"]}`, `{"a":[1,"x"]}`, 0, false, 0},
	}
	for _, tt := range tests {
		var got struct {
			Text    Text
			Integer Integer
			Boolean Boolean
			Millis  Millis
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

func TestCollections(t *testing.T) {
	tests := []struct {
		json  string
		list  []string
		texts Texts
	}{
		{`null`, nil, nil},
		{`""`, nil, nil},
		{`[]`, nil, nil},
		{`{}`, nil, nil},
		{`["b",null,3,"a"]`, []string{"b", "3", "a"}, nil},
		{`{"a":"1","b":2,"c":null,"d":true}`, nil, Texts{"a": "1", "b": "2", "c": "", "d": "true"}},
	}
	for _, tt := range tests {
		got := struct {
			List  List[Text]
			Texts Texts
		}{List[Text]{"x"}, Texts{"x": "x"}}
		if err := json.Unmarshal([]byte(`{"List":`+tt.json+`,"Texts":`+tt.json+`}`), &got); err != nil {
			t.Errorf("%s: %v", tt.json, err)
		}
		if diff := cmp.Diff(tt.list, Strings(got.List)); diff != "" {
			t.Errorf("list of %s (-want +got):\n%s", tt.json, diff)
		}
		if diff := cmp.Diff(tt.texts, got.Texts); diff != "" {
			t.Errorf("texts of %s (-want +got):\n%s", tt.json, diff)
		}
	}
}
