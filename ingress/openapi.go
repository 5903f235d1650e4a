package ingress

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The description of the API (OpenAPI 3.1) is made from the route table and the types that are decoded
// and written, so it can't differ from them.

type schema = map[string]any

func describe(routes []route, limits Limits) schema {
	paths := schema{}
	for i := range routes {
		r := &routes[i]
		item, ok := paths[r.path].(schema)
		if !ok {
			item = schema{}
			paths[r.path] = item
		}
		item[strings.ToLower(r.method)] = describeRoute(r)
	}
	return schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "Suanpan (算盘)", "version": "1",
			"description": "Amounts are integer fen (分) in fields named *_fen, rates annual in units of 1e-6, dates YYYY-MM-DD. " +
				"Every POST that changes something takes an Idempotency-Key; repeated with the same body it answers the first result again. " +
				"Errors are problem documents (RFC 9457) with a stable code, in English or Chinese by Accept-Language.",
		},
		"paths": paths,
		"components": schema{
			"schemas":         schema{"Problem": schemaOf(reflect.TypeFor[document]()), "Codes": codes()},
			"securitySchemes": schema{"operator": schema{"type": "http", "scheme": "bearer", "description": "An operator's token"}},
		},
		"x-protobuf":        batchProto,
		"x-body-bytes-max":  limits.BodyMax,
		"x-batch-max":       BatchMax,
		"x-statement-max":   StatementMax,
		"x-key-bytes-max":   idempotencyKeyMax,
		"x-connections-max": limits.Connections,
	}
}

func codes() schema {
	list := make([]string, 0, len(explanations))
	for code := range explanations {
		list = append(list, code)
	}
	slices.Sort(list)
	return schema{"type": "string", "enum": list}
}

func describeRoute(r *route) schema {
	out := schema{"summary": r.en, "description": r.zh}
	var parameters []schema
	for _, segment := range r.segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			parameters = append(parameters, parameter(strings.TrimSuffix(name, "}"), "path", schema{"type": "string"}, true))
		}
	}
	if strings.HasSuffix(r.path, "/transactions") || r.path == vouchersPath {
		parameters = append(parameters,
			parameter("limit", "query", schema{"type": "integer", "minimum": 1, "maximum": StatementMax, "default": StatementDefault}, false),
			parameter("cursor", "query", schema{"type": "string"}, false))
	}
	if r.path == productsPath {
		parameters = append(parameters, parameter("on", "query", schema{"type": "string", "format": "date"}, false))
	}
	if len(r.roles) > 0 {
		out["security"], out["x-roles"] = []schema{{"operator": []string{}}}, r.roles
	}
	parameters = append(parameters, paperParameters(r.path)...)
	success, reply := "200", r.reply
	if o := r.operation; o != nil {
		if o.approved {
			parameters = append(parameters, parameter(approverHeader, "header", schema{"type": "string"}, true))
		}
		parameters = append(parameters, parameter(keyHeader, "header", schema{"type": "string", "minLength": 1, "maxLength": idempotencyKeyMax}, true))
		out["requestBody"] = body(reflect.TypeOf(o.request))
		if o.status == 201 {
			success = "201"
		}
	}
	if r.path == batchPath {
		in := body(reflect.TypeFor[batchRequest]())
		in["content"].(schema)[protobufType] = protobufSchema("Batch")
		out["requestBody"], reply = in, batchReply{}
	}
	if r.request != nil {
		out["requestBody"] = body(reflect.TypeOf(r.request))
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	ok := schema{"description": "success"}
	if reply != nil {
		ok["content"] = content(jsonType, schemaOf(reflect.TypeOf(reply)))
		if r.path == batchPath {
			ok["content"].(schema)[protobufType] = protobufSchema("BatchResults")
		}
	}
	out["responses"] = schema{
		success:   ok,
		"default": schema{"description": "problem", "content": content("application/problem+json", schema{"$ref": "#/components/schemas/Problem"})},
	}
	return out
}

func parameter(name, in string, s schema, required bool) schema {
	return schema{"name": name, "in": in, "required": required, "schema": s}
}

func content(mediaType string, s schema) schema { return schema{mediaType: schema{"schema": s}} }

func body(t reflect.Type) schema {
	return schema{"required": true, "content": content(jsonType, schemaOf(t))}
}

// schemaOf describes a type as it is written in JSON.
func schemaOf(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[jsontext.Value]():
		return schema{"type": "object"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Slice:
		return schema{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	case reflect.Interface:
		return schema{}
	}
	return schema{"type": "integer", "format": "int64"}
}

func structSchema(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous && field.Tag.Get("json") == "" {
			inner := structSchema(field.Type)
			for name, s := range inner["properties"].(schema) {
				properties[name] = s
			}
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		properties[name] = schemaOf(field.Type)
		if strings.Contains(options, "string") {
			properties[name] = schema{"type": "string"}
		}
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
