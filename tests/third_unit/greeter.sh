# shellcheck disable=SC2034 # the program that these functions become a part of reads what they set
greeter_test() {
    output=$(greeter -t 2>&1)
    code=$?
}

greeter_loaded() { loaded_id=$(served_id 8406); }
