; --- definitions ---------------------------------------------------------------------------------

(variable_declaration (identifier) @name (struct_declaration) @body) @definition.struct

(variable_declaration (identifier) @name (opaque_declaration) @body) @definition.struct

(variable_declaration (identifier) @name (enum_declaration) @body) @definition.enum

(variable_declaration (identifier) @name (union_declaration) @body) @definition.union

(variable_declaration (identifier) @name (error_set_declaration) @body) @definition.enum

(error_set_declaration (identifier) @name @definition.enum_member)

(enum_declaration (container_field name: (identifier) @name) @definition.enum_member)

(container_field name: (identifier) @name) @definition.field

(function_declaration name: (identifier) @name body: (_)? @body) @definition.function

(test_declaration [(string) (identifier)] @name (block) @body) @definition.test

(variable_declaration "const" . (identifier) @name) @definition.constant

(variable_declaration "var" . (identifier) @name) @definition.variable

; --- imports -------------------------------------------------------------------------------------

((variable_declaration
  (identifier) @import.alias
  (field_expression
    object: (builtin_function (builtin_identifier) @_import (arguments . (string (string_content) @module)))
    member: (identifier) @import.name)) @import
  (#eq? @_import "@import"))

((variable_declaration
  (identifier) @import.alias
  (builtin_function (builtin_identifier) @_import (arguments . (string (string_content) @module)))) @import
  (#any-of? @_import "@import" "@cImport" "@embedFile"))

((builtin_function (builtin_identifier) @_import (arguments . (string (string_content) @module))) @import
  (#any-of? @_import "@import"))

; --- references ----------------------------------------------------------------------------------

(call_expression function: [(identifier) (field_expression)] @reference.call)

(struct_initializer . [(identifier) (field_expression)] @reference.call)

[(parameter type: [(identifier) (field_expression)] @reference.type)
 (function_declaration type: [(identifier) (field_expression)] @reference.type)
 (container_field type: [(identifier) (field_expression)] @reference.type)
 (variable_declaration type: [(identifier) (field_expression)] @reference.type)
 (pointer_type (identifier) @reference.type)
 (slice_type (identifier) @reference.type)
 (array_type (identifier) @reference.type)
 (nullable_type (identifier) @reference.type)
 (pointer_type (field_expression) @reference.type)
 (slice_type (field_expression) @reference.type)
 (nullable_type (field_expression) @reference.type)
 (error_union_type error: (_) @reference.type)
 (error_union_type ok: [(identifier) (field_expression)] @reference.type)]

(field_expression object: (_)) @reference.read

(identifier) @reference.read

; --- names bound in functions --------------------------------------------------------------------

[(parameter name: (identifier) @local)
 (payload (identifier) @local)]
