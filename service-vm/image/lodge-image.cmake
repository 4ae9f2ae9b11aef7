# What goes into the service VM's image besides Debian's kernel and busybox. Any CMakeLists.txt may add to it:
#
#   lodge_image_program(TARGET PATH)       a program of this build, stripped, with the libraries it needs
#   lodge_image_file(FILE PATH [MODE])     a file as it is; MODE as install(1) takes it, 644 if not said
#   lodge_image_tool(FILE...)              programs of the build machine, at their own path, with libraries
#
# PATH is absolute in the image. The list is read when service-vm/image is, which therefore comes last.

function(lodge_image_add line)
	set_property(GLOBAL APPEND PROPERTY LODGE_IMAGE_LINES "${line}")
	set_property(GLOBAL APPEND PROPERTY LODGE_IMAGE_SOURCES ${ARGN})
endfunction()

function(lodge_image_program target path)
	lodge_image_add("program $<TARGET_FILE:${target}> ${path}" ${target} $<TARGET_FILE:${target}>)
endfunction()

function(lodge_image_file file path)
	get_filename_component(file ${file} ABSOLUTE)
	set(mode 644)
	if(ARGC GREATER 2)
		set(mode ${ARGV2})
	endif()
	lodge_image_add("file ${file} ${path} ${mode}" ${file})
endfunction()

function(lodge_image_tool)
	foreach(file ${ARGN})
		lodge_image_add("program ${file} ${file}" ${file})
	endforeach()
endfunction()
