; --- definitions ---------------------------------------------------------------------------------

(class_declaration "interface" name: (identifier) @name (class_body)? @body) @definition.interface

(class_declaration (modifiers (class_modifier "enum")) name: (identifier) @name (enum_class_body) @body) @definition.enum

(class_declaration "class" name: (identifier) @name . [(class_body) (enum_class_body)] @body) @definition.class

(class_declaration "class" name: (identifier) @name (class_body) @body) @definition.class

(class_declaration "class" name: (identifier) @name) @definition.class

(object_declaration name: (identifier) @name (class_body)? @body) @definition.object

(type_alias type: (identifier) @name) @definition.type

(enum_entry . (identifier) @name) @definition.enum_member

(function_declaration
  (user_type) @receiver . name: (identifier) @name
  (function_body)? @body) @definition.method

(function_declaration name: (identifier) @name (function_body) @body) @definition.function

(function_declaration name: (identifier) @name) @definition.function

(secondary_constructor "constructor" @name (block)? @body) @definition.constructor

[(property_declaration (variable_declaration . (identifier) @name) (getter) @body)
 (property_declaration (variable_declaration . (identifier) @name) (setter) @body)] @definition.property

(property_declaration
  (modifiers (property_modifier "const"))
  (variable_declaration . (identifier) @name)) @definition.constant

(property_declaration (variable_declaration . (identifier) @name)) @definition.variable

(class_parameters (class_parameter ["val" "var"] . (identifier) @name) @definition.field)

; --- imports -------------------------------------------------------------------------------------

(import) @import @import.tree

; --- references ----------------------------------------------------------------------------------

[(delegation_specifier (user_type) @reference.inherit)
 (delegation_specifier (constructor_invocation (user_type) @reference.inherit))
 (delegation_specifier (explicit_delegation (user_type) @reference.inherit))]

(call_expression . [(identifier) (navigation_expression)] @reference.call)

(callable_reference (identifier) @reference.call .)

(user_type) @reference.type

(navigation_expression . [(identifier) (this_expression)]) @reference.read

(navigation_expression . (identifier) @reference.read)

[(value_argument (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (return_expression (identifier) @reference.read)
 (property_declaration (identifier) @reference.read)
 (assignment right: (identifier) @reference.read)
 (function_body (identifier) @reference.read)
 (index_expression (identifier) @reference.read)
 (in_expression (identifier) @reference.read)
 (if_expression (identifier) @reference.read)
 (when_subject (identifier) @reference.read)
 (when_entry (identifier) @reference.read)
 (for_statement (identifier) @reference.read)
 (interpolation (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameter . (identifier) @local)
 (class_parameter (identifier) @local)
 (variable_declaration . (identifier) @local)
 (catch_block (identifier) @local)
 (type_parameter (identifier) @local)]
