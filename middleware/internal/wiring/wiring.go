// Package wiring examines the arguments of constructors.
package wiring

import "reflect"

// IsNil reports whether v is nil or holds a nil pointer, map or function. Such a value
// often comes from a constructor whose error was ignored.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func:
		return r.IsNil()
	}
	return false
}
