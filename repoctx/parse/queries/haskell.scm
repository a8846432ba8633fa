; --- definitions ---------------------------------------------------------------------------------

(data_type name: (_) @name constructors: (_)? @body) @definition.enum

(newtype name: (_) @name constructor: (_)? @body) @definition.struct

(class name: (_) @name declarations: (_)? @body) @definition.trait

(instance patterns: (type_patterns . (_) @name) declarations: (_)? @body) @container

[(type_synonym name: (_) @name)
 (type_family name: (_) @name)
 (data_family name: (_) @name)] @definition.type

[(data_constructor constructor: (record name: (_) @name))
 (data_constructor constructor: (prefix name: (_) @name))
 (data_constructor constructor: (infix operator: (_) @name))
 (gadt_constructor name: (_) @name)
 (newtype_constructor name: (_) @name)] @definition.enum_member

(field name: (field_name) @name) @definition.field

[(declarations (signature name: (variable) @name) @definition.function)
 (declarations (signature name: (prefix_id (_) @name)) @definition.function)]

(class_declarations declaration: (signature name: (variable) @name) @definition.method)

[(function name: (variable) @name match: (_) @body)
 (function name: (prefix_id (_) @name) match: (_) @body)
 (function (infix operator: (operator) @name) match: (_) @body)
 (function (infix operator: (infix_id (variable) @name)) match: (_) @body)] @definition.function

; In functions these are locals.
[(declarations (bind name: (variable) @name match: (_) @body) @definition.function)
 (class_declarations (bind name: (variable) @name match: (_) @body) @definition.function)
 (instance_declarations (bind name: (variable) @name match: (_) @body) @definition.function)]

(declarations (foreign_import signature: (signature name: (variable) @name)) @definition.function)

(pattern_synonym (signature synonym: (_) @name)) @definition.function

(pattern_synonym (equation synonym: (_) @name)) @definition.function

; --- imports -------------------------------------------------------------------------------------

((import
  module: (module) @module
  names: (import_list name: (import_name [variable: (_) type: (_)] @import.name))) @import
  (#not-match? @import "\\bhiding\\b"))

(import module: (module) @module alias: (module) @import.alias) @import

(import module: (module) @module !names !alias) @import @import.everything

((import module: (module) @module !alias) @import @import.everything
  (#match? @import "\\bhiding\\b"))

(import alias: (module) @ignore)

; --- references ----------------------------------------------------------------------------------

(instance name: (_) @reference.inherit)

(deriving classes: (_ (name) @reference.inherit))

(deriving classes: (name) @reference.inherit)

[(apply function: (variable) @reference.call)
 (apply function: (constructor) @reference.call)
 (apply function: (qualified) @reference.call)
 (infix operator: (infix_id (variable) @reference.call))
 (infix operator: (operator) @reference.call)
 (record expression: (constructor) @reference.call)]

(qualified id: (name)) @reference.type

(name) @reference.type

(constructor) @reference.read

(qualified id: (_)) @reference.read

(variable) @reference.read

; --- names bound in functions --------------------------------------------------------------------

[(patterns (variable) @local)
 (patterns (parens (apply argument: (variable) @local)))
 (patterns (as bind: (variable) @local))
 (patterns (tuple (variable) @local))
 (patterns (list (variable) @local))
 (patterns (strict (variable) @local))
 (local_binds decl: (bind name: (variable) @local))
 (generator pattern: (variable) @local)
 (bind pattern: (variable) @local)
 (bind pattern: (tuple (variable) @local))
 (bind pattern: (apply argument: (variable) @local))
 (alternative pattern: (variable) @local)
 (alternative pattern: (apply argument: (variable) @local))
 (alternative pattern: (infix left_operand: (variable) @local))
 (alternative pattern: (infix right_operand: (variable) @local))
 (function (infix left_operand: (variable) @local))
 (function (infix right_operand: (variable) @local))]
