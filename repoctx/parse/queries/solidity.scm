; --- definitions ---------------------------------------------------------------------------------

(contract_declaration name: (identifier) @name body: (_) @body) @definition.class

(library_declaration name: (identifier) @name body: (_) @body) @definition.class

(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface

(struct_declaration name: (identifier) @name body: (_) @body) @definition.struct

(struct_member name: (identifier) @name) @definition.field

(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum

(enum_value) @name @definition.enum_member

[(event_definition name: (identifier) @name)
 (error_declaration name: (identifier) @name)
 (user_defined_type_definition name: (identifier) @name)] @definition.type

(function_definition name: (identifier) @name body: (_)? @body) @definition.function

(modifier_definition name: (identifier) @name body: (_)? @body) @definition.function

(constructor_definition "constructor" @name body: (_)? @body) @definition.constructor

(fallback_receive_definition ["fallback" "receive"] @name body: (_)? @body) @definition.function

(constant_variable_declaration name: (identifier) @name) @definition.constant

(state_variable_declaration name: (identifier) @name) @definition.variable

; --- imports -------------------------------------------------------------------------------------

(import_directive alias: (identifier) @import.alias source: (string) @module !import_name) @import

(import_directive import_name: (identifier) @import.name . alias: (identifier) @import.alias source: (string) @module) @import

(import_directive import_name: (identifier) @import.name source: (string) @module) @import

(import_directive source: (string) @module !import_name !alias) @import @import.everything

; --- references ----------------------------------------------------------------------------------

(inheritance_specifier ancestor: (user_defined_type) @reference.inherit)

(call_expression function: (expression [(identifier) (member_expression)] @reference.call))

(call_expression function: (expression (new_expression name: (type_name (user_defined_type) @reference.call))))

(call_expression function: (expression (struct_expression type: (expression [(identifier) (member_expression)] @reference.call))))

(emit_statement name: (expression [(identifier) (member_expression)] @reference.call))

(revert_statement error: (expression [(identifier) (member_expression)] @reference.call))

(modifier_invocation [(identifier) (member_expression)] @reference.call)

(using_directive (type_alias (_) @reference.type))

(user_defined_type) @reference.type

(member_expression) @reference.read

(member_expression object: (identifier) @reference.read)

(expression (identifier) @reference.read)

; --- names bound in functions --------------------------------------------------------------------

[(parameter name: (identifier) @local)
 (variable_declaration name: (identifier) @local)
 (event_parameter name: (identifier) @local)
 (error_parameter name: (identifier) @local)]
