// python: arguments codec codec_write json_dumps json_loads message msgpack_dumps msgpack_loads
// SPDX-License-Identifier: MIT
// Any bytes as a Message on the wire, in MessagePack and in JSON: as they are, and in the wrapping that makes them a
// message's fields. They are refused with a DecodeError, or read; and what was read is written, reads back, and is
// written the same again. What MessagePack gave is also offered to JSON, which may refuse it with an EncodeError.
//
// A program of its own with Python inside: of perfcore._core it has the codecs and Message alone. Run in the root of
// the repository, where the Python files are.
#include "ext.h"

#include <stdlib.h>
#include <string.h>

#include "workload/codec.h"
#include "workload/message.h"
#include "workload/pc_msgpack.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            PyErr_Print();                                                                                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

// --- the module: what csrc/ext/module.c does, for these types alone ---

PyObject *core_raise_errno(int status)
{
    (void)status;
    return PyErr_NoMemory();
}

int core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
    *slot = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *slot == NULL ? -1 : PyModule_AddType(module, *slot);
}

// The backend that is for comparing; perfcore.codecs wants it to be there.
int cjson_setup(PyObject *module)
{
    return PyModule_AddObjectRef(module, "cjson_dumps", Py_None) < 0
               ? -1
               : PyModule_AddObjectRef(module, "cjson_loads", Py_None);
}

static int module_exec(PyObject *module)
{
    return codec_setup(module) < 0 ? -1 : message_setup(module);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "perfcore._core",
    .m_size = sizeof(core_state),
    .m_slots = module_slots,
};

static PyObject *init_core(void)
{
    return PyModuleDef_Init(&core_module);
}

static PyObject *core, *decode_error, *encode_error;

static PyObject *attribute_of(const char *module, const char *name)
{
    PyObject *imported = PyImport_ImportModule(module);
    DEMAND(imported != NULL);
    PyObject *found = PyObject_GetAttrString(imported, name);
    DEMAND(found != NULL);
    Py_DECREF(imported);
    return found;
}

int LLVMFuzzerInitialize(int *Py_UNUSED(argc), char ***Py_UNUSED(argv))
{
    static const char start[] = "import importlib.machinery as m, importlib.util as u, sys\n"
                                "spec = m.ModuleSpec('perfcore._core', m.BuiltinImporter, origin='built-in')\n"
                                "sys.modules['perfcore._core'] = core = u.module_from_spec(spec)\n"
                                "spec.loader.exec_module(core)\n"
                                "sys.path.insert(0, '.')\n";
    (void)setenv("PYTHONMALLOC", "malloc", 1); // so that the sanitizer sees each object
    (void)setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    DEMAND(PyImport_AppendInittab("perfcore._core", init_core) == 0);
    Py_InitializeEx(0);
    DEMAND(PyRun_SimpleString(start) == 0);
    core = PyImport_ImportModule("perfcore._core");
    DEMAND(core != NULL);
    decode_error = attribute_of("perfcore.errors", "DecodeError");
    encode_error = attribute_of("perfcore.errors", "EncodeError");
    return 0;
}

// --- the wire ---

// Read, or be refused for the one reason that there may be.
static PyObject *read_wire(const char *loads, const char *bytes, size_t length)
{
    PyObject *value = PyObject_CallMethod(core, loads, "y#", bytes, (Py_ssize_t)length);
    if (value == NULL) {
        DEMAND(PyErr_ExceptionMatches(decode_error));
        PyErr_Clear();
    }
    return value;
}

// Write; NULL where a codec may refuse and does.
static PyObject *write_wire(const char *dumps, PyObject *value, bool may_refuse)
{
    PyObject *wire = PyObject_CallMethod(core, dumps, "O", value);
    if (wire == NULL) {
        DEMAND(may_refuse && PyErr_ExceptionMatches(encode_error));
        PyErr_Clear();
    }
    return wire;
}

static void check_round(const char *loads, const char *dumps, PyObject *value, bool may_refuse)
{
    PyObject *wire = write_wire(dumps, value, may_refuse);
    if (wire == NULL)
        return;
    PyObject *again = read_wire(loads, PyBytes_AS_STRING(wire), (size_t)PyBytes_GET_SIZE(wire));
    DEMAND(again != NULL && Py_TYPE(again) == Py_TYPE(value));
    PyObject *rewritten = write_wire(dumps, again, false);
    DEMAND(rewritten != NULL && PyObject_RichCompareBool(wire, rewritten, Py_EQ) == 1);
    Py_DECREF(rewritten);
    Py_DECREF(again);
    Py_DECREF(wire);
}

static void try_msgpack(const char *bytes, size_t length, bool wrapped)
{
    PyObject *value = read_wire("msgpack_loads", bytes, length);
    if (value == NULL)
        return;
    DEMAND(!wrapped || message_check(core_state_of_module(core), value));
    check_round("msgpack_loads", "msgpack_dumps", value, false);
    check_round("json_loads", "json_dumps", value, true);
    Py_DECREF(value);
}

// Whether it becomes a message is not known even in the wrapping: the text may close it and go on.
static void try_json(const char *text, size_t length)
{
    PyObject *value = read_wire("json_loads", text, length);
    if (value == NULL)
        return;
    check_round("json_loads", "json_dumps", value, false);
    check_round("msgpack_loads", "msgpack_dumps", value, true);
    Py_DECREF(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char before[] = "{\"" CODEC_MESSAGE_KEY "\":", after[] = "}";
    const size_t first = sizeof before - 1, last = sizeof after - 1;
    char *bytes = malloc(size + PC_MSGPACK_HEAD + first + last);
    DEMAND(bytes != NULL);
    switch (size == 0 ? 0 : data[0] & 3) {
    case 0:
        try_msgpack(size == 0 ? "" : (const char *)data, size, false);
        break;
    case 1: {
        char *body = pc_msgpack_write_extension(bytes, PC_MSGPACK_MESSAGE, size - 1);
        memcpy(body, data + 1, size - 1);
        try_msgpack(bytes, (size_t)(body - bytes) + size - 1, true);
        break;
    }
    case 2:
        memcpy(bytes, before, first);
        memcpy(bytes + first, data + 1, size - 1);
        memcpy(bytes + first + size - 1, after, last);
        try_json(bytes, first + size - 1 + last);
        break;
    default:
        try_json((const char *)data + 1, size - 1);
        break;
    }
    free(bytes);
    return 0;
}
