#include <Python.h>

int launch_one(float *);
int launch_two(float *);
int launch_three(float *);

static PyObject *launch(PyObject *, PyObject *) {
    return PyLong_FromLong(launch_one(nullptr) | launch_two(nullptr) | launch_three(nullptr));
}

static PyMethodDef methods[] = {{"launch", launch, METH_NOARGS, nullptr}, {}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "cuda_extension_test", nullptr, 0, methods};

PyMODINIT_FUNC PyInit_cuda_extension_test() { return PyModule_Create(&module); }
