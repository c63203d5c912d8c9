// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// runLua runs a script as Argo CD does: obj is the object, and of the libraries there are package, base, table, and of os
// the functions that tell the time.
func runLua(t *testing.T, script string, obj map[string]any) any {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	l.SetContext(t.Context())
	for _, lib := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(lib.open), Protect: true}, lua.LString(lib.name)); err != nil {
			t.Fatal(err)
		}
	}
	l.PreloadModule(lua.OsLibName, func(l *lua.LState) int {
		safe := l.NewTable()
		lua.OpenOs(l)
		full, _ := l.Get(-1).(*lua.LTable)
		for _, name := range []string{"time", "date"} {
			safe.RawSetString(name, full.RawGetString(name))
		}
		l.SetGlobal(lua.OsLibName, lua.LNil)
		l.Push(safe)
		return 1
	})
	l.SetGlobal("obj", toLua(l, obj))
	if err := l.DoString(script); err != nil {
		t.Fatalf("the script fails: %v", err)
	}
	return fromLua(t, l.Get(-1))
}

// toLua turns a decoded object into a Lua value.
func toLua(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		list := l.CreateTable(len(v), 0)
		for _, item := range v {
			list.Append(toLua(l, item))
		}
		return list
	case map[string]any:
		table := l.CreateTable(0, len(v))
		for key, item := range v {
			table.RawSetString(key, toLua(l, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua turns a Lua value into what JSON would make of it. As in Argo CD, an empty table is an empty list: a script
// must not leave one where a map was.
func fromLua(t *testing.T, value lua.LValue) any {
	t.Helper()
	switch v := value.(type) {
	case lua.LBool:
		return bool(v)
	case lua.LString:
		return string(v)
	case lua.LNumber:
		if whole := int64(v); lua.LNumber(whole) == v {
			return whole
		}
		return float64(v)
	case *lua.LTable:
		if v.Len() > 0 || v.MaxN() > 0 {
			var list []any
			v.ForEach(func(_, item lua.LValue) { list = append(list, fromLua(t, item)) })
			return list
		}
		table := map[string]any{}
		v.ForEach(func(key, item lua.LValue) { table[key.String()] = fromLua(t, item) })
		if len(table) == 0 {
			return []any{}
		}
		return table
	case *lua.LNilType:
		return nil
	}
	t.Fatalf("the script returns a %s", value.Type())
	return nil
}
