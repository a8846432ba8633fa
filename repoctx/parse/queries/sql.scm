; --- definitions ---------------------------------------------------------------------------------

(create_table . (keyword_create) (object_reference) @name [(column_definitions) (create_query)]? @body) @definition.struct

(column_definitions (column_definition name: (identifier) @name) @definition.field)

[(create_view (object_reference) @name)
 (create_materialized_view (object_reference) @name)] @definition.struct

(create_type (object_reference) @name (enum_elements)) @definition.enum

(create_type (object_reference) @name) @definition.type

(enum_elements enum_element: (literal) @name @definition.enum_member)

(create_function (object_reference) @name (function_arguments) (function_body)? @body) @definition.function

(create_procedure (object_reference) @name) @definition.function

[(create_sequence (object_reference) @name)
 (create_trigger (keyword_trigger) . (object_reference) @name)
 (create_index column: (identifier) @name)
 (create_schema (identifier) @name)] @definition.object

; --- references ----------------------------------------------------------------------------------

(invocation (object_reference) @reference.call)

(create_trigger (keyword_execute) . (_)? . (object_reference) @reference.call)

(object_reference schema: (_) @qualifier name: (identifier) @name) @reference.type

[(relation (object_reference) @reference.type)
 (insert (object_reference) @reference.type)
 (from (object_reference) @reference.type)
 (alter_table (object_reference) @reference.type)
 (create_index (object_reference) @reference.type)
 (create_trigger (object_reference) @reference.type)
 (column_definition (object_reference) @reference.type)
 (constraint (object_reference) @reference.type)]

; --- names bound in functions --------------------------------------------------------------------

[(relation alias: (identifier) @local)
 (cte . (identifier) @local)
 (function_argument . (identifier) @local)]
