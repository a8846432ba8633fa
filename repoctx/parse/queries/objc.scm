; What Objective-C adds to C.

; --- definitions ---------------------------------------------------------------------------------

(class_interface . "@interface" . (identifier) @name !category) @definition.class

(class_interface . "@interface" . (identifier) @name category: (_)) @container

(class_implementation . "@implementation" . (identifier) @name) @container

(protocol_declaration . "@protocol" . (identifier) @name) @definition.interface

(method_declaration (method_type) . (identifier) @name) @definition.method

(method_definition (method_type) . (identifier) @name (compound_statement)? @body) @definition.method

(property_declaration (struct_declaration (struct_declarator [
  (identifier) @name
  (pointer_declarator declarator: (identifier) @name)
  (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))]))) @definition.property

(instance_variable (struct_declaration (struct_declarator [
  (identifier) @name
  (pointer_declarator declarator: (identifier) @name)]))) @definition.field

; --- imports -------------------------------------------------------------------------------------

(module_import path: (_) @module) @import

; --- references ----------------------------------------------------------------------------------

(class_interface superclass: (identifier) @reference.inherit)

(class_interface (parameterized_arguments (type_name (type_identifier) @reference.inherit)))

(protocol_declaration (protocol_reference_list (identifier) @reference.inherit))

(message_expression receiver: (_) @qualifier . method: (identifier) @name) @reference.call

(message_expression receiver: (identifier) @reference.read)

; --- names bound in methods ----------------------------------------------------------------------

(method_parameter (identifier) @local)

(for_statement (pointer_declarator declarator: (identifier) @local))
