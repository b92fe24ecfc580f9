using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Numerics;
using System.Text;
static class Dump
{
    public static string Json(object value)
    {
        if (value == null) return "null";
        if (value is bool) return (bool)value ? "true" : "false";
        if (value is int || value is long || value is BigInteger) return value.ToString();
        // its bits: Mono does not write the last digit of every number
        if (value is double) return BitConverter.DoubleToInt64Bits((double)value) + "e0";
        if (value is string)
            return "\"" + string.Concat(((string)value).Select(unit => "\\u" + ((int)unit).ToString("x4"))) + "\"";
        var map = value as IDictionary;
        if (map != null)
            return "{" + string.Join(",", map.Keys.Cast<object>().Select(key => Json(key) + ":" + Json(map[key]))) + "}";
        return "[" + string.Join(",", ((IEnumerable)value).Cast<object>().Select(Json)) + "]";
    }
}
