; What implementations and interfaces have in common.

; --- definitions ---------------------------------------------------------------------------------

(module_definition (module_binding (module_name) @name body: (_)? @body)) @definition.module

(module_type_definition (module_type_name) @name body: (_)? @body) @definition.interface

(type_definition (type_binding name: (type_constructor) @name body: (variant_declaration) @body)) @definition.enum

(type_definition (type_binding name: (type_constructor) @name body: (record_declaration) @body)) @definition.struct

(type_definition (type_binding name: (_) @name)) @definition.type

(variant_declaration (constructor_declaration (constructor_name) @name) @definition.enum_member)

(field_declaration (field_name) @name) @definition.field

(exception_definition (constructor_declaration (constructor_name) @name)) @definition.struct

[(value_specification [(value_name) @name (parenthesized_operator (_) @name)])
 (external [(value_name) @name (parenthesized_operator (_) @name)])] @definition.function

(class_binding (class_name) @name body: (_)? @body) @definition.class

(class_definition . (class_binding) @inner) @outer

(class_type_binding (class_type_name) @name) @definition.interface

(method_specification (method_name) @name) @definition.method

; --- imports -------------------------------------------------------------------------------------

(module_definition (module_binding (module_name) @import.alias . body: (module_path) @module)) @import

[(open_module module: (_) @module)
 (open_module_signature module: (_) @module)
 (include_module module: (module_path) @module)] @import @import.everything

; --- references ----------------------------------------------------------------------------------

(inheritance_definition class: (class_path) @reference.inherit)

(module_parameter module_type: (module_type_path) @reference.type)

(module_type_constraint (module_type_path) @reference.inherit)

(module_type_path) @reference.type

(module_application functor: (module_path) @reference.call)

(type_constructor_path) @reference.type

; --- names bound in definitions ------------------------------------------------------------------

(module_parameter (module_name) @local)
