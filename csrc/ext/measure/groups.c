// SPDX-License-Identifier: MIT
// Control groups, pressure and network counters: read_cgroup, read_pressure and read_net, whose tuples
// perfcore/measure/groups.py names. None stands for what the kernel did not give. The first two read many small files,
// with the GIL released; the last one reads one, in some 10 us, and keeps it.
#include "ext.h"
#include "measure/pc_cgroup.h"
#include "measure/pc_net.h"

#include <unistd.h>

static PyObject *figure(bool present, uint64_t value)
{
    return present ? PyLong_FromUnsignedLongLong(value) : Py_NewRef(Py_None);
}

// ((cpu some ns, cpu some percent, cpu full ns, cpu full percent), memory's, io's)
static PyObject *pressure_object(const pc_pressure *pressure)
{
    PyObject *result = PyTuple_New(PC_PRESSURE_RESOURCES);
    for (int resource = 0; result != NULL && resource < PC_PRESSURE_RESOURCES; resource++) {
        const pc_pressure_stall *stalls = pressure->stalls[resource];
        PyObject *values = PyTuple_New(2 * (Py_ssize_t)PC_PRESSURE_KINDS);
        for (int kind = 0; values != NULL && kind < PC_PRESSURE_KINDS; kind++) {
            const pc_pressure_stall *stall = &stalls[kind];
            PyObject *total = figure(stall->present, stall->total_ns);
            PyObject *percent =
                stall->present ? PyFloat_FromDouble((double)stall->avg10_centipercent / 100.0) : Py_NewRef(Py_None);
            if (total == NULL || percent == NULL) {
                Py_XDECREF(total);
                Py_XDECREF(percent);
                Py_CLEAR(values);
            } else {
                PyTuple_SET_ITEM(values, 2 * (Py_ssize_t)kind, total);
                PyTuple_SET_ITEM(values, 2 * (Py_ssize_t)kind + 1, percent);
            }
        }
        if (values == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, resource, values);
    }
    return result;
}

PyDoc_STRVAR(read_pressure_doc, "read_pressure(proc='/proc', /)\n--\n\n"
                                "Return for cpu, memory and io: (some ns, some percent, full ns, full percent).");

static PyObject *read_pressure(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *proc = "/proc";
    if (!PyArg_ParseTuple(args, "|s:read_pressure", &proc))
        return NULL;
    pc_pressure pressure;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_pressure_read_system(proc, &pressure);
    Py_END_ALLOW_THREADS
    return status < 0 ? core_raise_errno(status) : pressure_object(&pressure);
}

PyDoc_STRVAR(read_cgroup_doc, "read_cgroup(pid=0, proc='/proc', mount=None, /)\n--\n\n"
                              "Return (path or None, figures in the order of CGROUP_METRICS, pressure) of the control\n"
                              "group of a process. ProcessLookupError if there is no such process.");

static PyObject *read_cgroup(PyObject *Py_UNUSED(module), PyObject *args)
{
    int pid = 0;
    const char *proc = "/proc", *mount = NULL;
    if (!PyArg_ParseTuple(args, "|isz:read_cgroup", &pid, &proc, &mount))
        return NULL;
    if (pid < 0) {
        PyErr_Format(PyExc_ValueError, "pid must be positive, or 0 for this process, got %d", pid);
        return NULL;
    }
    pc_cgroup_metrics metrics;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_cgroup_read(proc, mount, pid, &metrics);
    Py_END_ALLOW_THREADS
    if (status < 0)
        return core_raise_errno(status);
    PyObject *values = PyTuple_New(PC_CGROUP_METRICS);
    for (int i = 0; values != NULL && i < PC_CGROUP_METRICS; i++) {
        PyObject *value = figure((metrics.present & PC_CGROUP_BIT(i)) != 0, metrics.values[i]);
        if (value == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SET_ITEM(values, i, value);
    }
    PyObject *path = metrics.path[0] == '\0' ? Py_NewRef(Py_None) : PyUnicode_DecodeFSDefault(metrics.path);
    PyObject *pressure = pressure_object(&metrics.pressure);
    if (values == NULL || path == NULL || pressure == NULL) {
        Py_XDECREF(values);
        Py_XDECREF(path);
        Py_XDECREF(pressure);
        return NULL;
    }
    return Py_BuildValue("(NNN)", path, values, pressure);
}

PyDoc_STRVAR(read_net_doc,
             "read_net(pid=0, /)\n--\n\n"
             "Return (received bytes, sent bytes, errors, drops) of a process's network namespace without\n"
             "its loopback interface, or None.");

static PyObject *read_net(PyObject *Py_UNUSED(module), PyObject *args)
{
    int pid = 0;
    if (!PyArg_ParseTuple(args, "|i:read_net", &pid))
        return NULL;
    pc_net net; // 32 KB: on the stack of the thread that asks
    pc_proctext_net found;
    pc_net_open(&net, pid > 0 ? pid : getpid());
    int status = pc_net_read(&net, &found);
    pc_net_close(&net);
    if (status < 0)
        Py_RETURN_NONE;
    return Py_BuildValue("(KKKK)", (unsigned long long)found.received_bytes, (unsigned long long)found.sent_bytes,
                         (unsigned long long)found.errors, (unsigned long long)found.drops);
}

static PyMethodDef groups_functions[] = {
    {"read_cgroup", read_cgroup, METH_VARARGS, read_cgroup_doc},
    {"read_net", read_net, METH_VARARGS, read_net_doc},
    {"read_pressure", read_pressure, METH_VARARGS, read_pressure_doc},
    {NULL, NULL, 0, NULL},
};

static const char *name_of(int metric)
{
    return pc_cgroup_name((pc_cgroup_metric)metric);
}

int groups_setup(PyObject *module)
{
    if (core_add_names(module, "CGROUP_METRICS", PC_CGROUP_METRICS, name_of) < 0)
        return -1;
    return PyModule_AddFunctions(module, groups_functions);
}
